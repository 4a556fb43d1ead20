"""deel-lip on Keras 3: the only place of xsparks that knows deel-lip."""

from .activations import FullSort as FullSort
from .activations import GroupSort as GroupSort
from .activations import GroupSort2 as GroupSort2
from .activations import Householder as Householder
from .activations import MaxMin as MaxMin
from .convolutions import FrobeniusConv2D as FrobeniusConv2D
from .convolutions import SpectralConv2D as SpectralConv2D
from .dense import FrobeniusDense as FrobeniusDense
from .dense import SpectralDense as SpectralDense
from .losses import HKR as HKR
from .losses import KR as KR
from .losses import CategoricalHinge as CategoricalHinge
from .losses import HingeMargin as HingeMargin
from .losses import MulticlassHinge as MulticlassHinge
from .losses import MulticlassHKR as MulticlassHKR
from .losses import MulticlassKR as MulticlassKR
from .losses import MultiMargin as MultiMargin
from .losses import TauCategoricalCrossentropy as TauCategoricalCrossentropy
from .pooling import InvertibleDownSampling as InvertibleDownSampling
from .pooling import InvertibleUpSampling as InvertibleUpSampling
from .pooling import ScaledAveragePooling2D as ScaledAveragePooling2D
from .pooling import ScaledGlobalAveragePooling2D as ScaledGlobalAveragePooling2D
from .pooling import ScaledGlobalL2NormPooling2D as ScaledGlobalL2NormPooling2D
from .pooling import ScaledL2NormPooling2D as ScaledL2NormPooling2D
