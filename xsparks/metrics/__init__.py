"""Floor 3: can this map be trusted?"""

from .deletion import Deletion as Deletion
from .entropy import Entropy as Entropy
from .insertion import Insertion as Insertion
from .iou import IoU as IoU
from .jpeg_size import JPEGSize as JPEGSize
from .localisation import Localisation as Localisation
from .localisation import share_of_highest as share_of_highest
from .pointing_game import PointingGame as PointingGame
from .relevance_mass import RelevanceMass as RelevanceMass
from .relevance_rank import RelevanceRank as RelevanceRank
from .sparseness import Sparseness as Sparseness
from .stepwise import Stepwise as Stepwise
