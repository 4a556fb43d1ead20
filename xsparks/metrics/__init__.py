"""Floor 3: can this map be trusted?"""

from .average_stability import AverageStability as AverageStability
from .deletion import Deletion as Deletion
from .entropy import Entropy as Entropy
from .insertion import Insertion as Insertion
from .iou import IoU as IoU
from .jpeg_size import JPEGSize as JPEGSize
from .localisation import Localisation as Localisation
from .localisation import share_of_highest as share_of_highest
from .max_sensitivity import MaxSensitivity as MaxSensitivity
from .model_randomization import ModelRandomization as ModelRandomization
from .pointing_game import PointingGame as PointingGame
from .random_logit import RandomLogit as RandomLogit
from .relevance_mass import RelevanceMass as RelevanceMass
from .relevance_rank import RelevanceRank as RelevanceRank
from .robustness import Robustness as Robustness
from .robustness_not_sr import RobustnessNotSr as RobustnessNotSr
from .robustness_sr import RobustnessSr as RobustnessSr
from .shortest_change import ShortestChange as ShortestChange
from .sparseness import Sparseness as Sparseness
from .stability import Stability as Stability
from .stepwise import Stepwise as Stepwise
