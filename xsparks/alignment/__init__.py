"""Floor 3: models that look where people look. Harmonized training, and how aligned a model is."""

from .clickme import ClickMe as ClickMe
from .clickme import read_clickme as read_clickme
from .clickme import write_clickme as write_clickme
from .harmonization import Harmonization as Harmonization
from .human_alignment import CLICKME_CEILING as CLICKME_CEILING
from .human_alignment import HumanAlignment as HumanAlignment
from .human_ceiling import Ceiling as Ceiling
from .human_ceiling import human_ceiling as human_ceiling
from .human_dataset import heatmaps_of as heatmaps_of
from .human_dataset import human_dataset as human_dataset
from .weight_sweep import WeightSweep as WeightSweep
from .weight_sweep import sweep_weights as sweep_weights
