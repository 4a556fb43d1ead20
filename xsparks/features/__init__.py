"""Floor 3: what does a network look for?"""

from .canvas import Canvas as Canvas
from .canvas import PixelCanvas as PixelCanvas
from .diversity import Diversity as Diversity
from .feature_accentuation import FeatureAccentuation as FeatureAccentuation
from .feature_inversion import FeatureInversion as FeatureInversion
from .feature_visualisation import FeatureVisualisation as FeatureVisualisation
from .fourier_canvas import FourierCanvas as FourierCanvas
from .maco import MACO as MACO
from .maco_canvas import MACOCanvas as MACOCanvas
from .objectives import Objective as Objective
from .objectives import Term as Term
from .picture_measure import PictureMeasure as PictureMeasure
from .picture_model import PictureModel as PictureModel
from .plausibility import Plausibility as Plausibility
from .regularizers import Contrast as Contrast
from .regularizers import Regularizer as Regularizer
from .regularizers import TotalVariation as TotalVariation
from .slots import Packed as Packed
from .slots import Slot as Slot
from .spectrum import natural_magnitude as natural_magnitude
from .transferability import Transferability as Transferability
from .views import Views as Views
from .visualisation import Visualisation as Visualisation
from .visualiser import Visualiser as Visualiser
