"""Floor 2: what a method shows the model instead of the input."""

from .attack_steps import box_step as box_step
from .attack_steps import euclidean_length as euclidean_length
from .attack_steps import euclidean_step as euclidean_step
from .baselines import as_baseline as as_baseline
from .blends import Amplitude as Amplitude
from .blends import Blur as Blur
from .blends import Inpainting as Inpainting
from .blends import as_perturbation as as_perturbation
from .fillings import Filling as Filling
from .fillings import NoisyLinear as NoisyLinear
from .fillings import as_filling as as_filling
from .masks import cells_to_maps as cells_to_maps
from .masks import cells_to_pixels as cells_to_pixels
from .masks import grid_of as grid_of
from .masks import sums_of_cells as sums_of_cells
from .orderings import importance_ranks as importance_ranks
from .radius_search import Limits as Limits
from .radius_search import RadiusSearch as RadiusSearch
