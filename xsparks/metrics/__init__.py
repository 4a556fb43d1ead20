"""Floor 3: can this map be trusted?"""

from .deletion import Deletion as Deletion
from .insertion import Insertion as Insertion
from .stepwise import Stepwise as Stepwise
