"""Small pictures drawn by code, each with one object whose pixels are known, and a network trained on them."""

from .collection import Shapes as Shapes
from .collection import load as load
from .network import load_model as load_model
from .outlines import CLASS_NAMES as CLASS_NAMES
from .outlines import PART_NAMES as PART_NAMES
