"""Floor 3: models that look where people look. Harmonized training, and how aligned a model is."""

from .agreement import Ceiling as Ceiling
from .agreement import human_ceiling as human_ceiling
from .clickme import ClickMe as ClickMe
from .clickme import read_clickme as read_clickme
from .clickme import write_clickme as write_clickme
from .harmonization import Harmonization as Harmonization
from .heatmaps import heatmaps_of as heatmaps_of
from .heatmaps import human_dataset as human_dataset
from .human_alignment import CLICKME_CEILING as CLICKME_CEILING
from .human_alignment import HumanAlignment as HumanAlignment
from .weight_sweep import WeightSweep as WeightSweep
from .weight_sweep import sweep_weights as sweep_weights
