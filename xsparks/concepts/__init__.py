"""Floor 3: what does the model see? Concepts, their maps, and how much each counts."""

from .convex_nmf import ConvexNMFConcepts as ConvexNMFConcepts
from .craft import CRAFT as CRAFT
from .crops import CropGrid as CropGrid
from .dictionary import Dictionary as Dictionary
from .explanation import ConceptExplanation as ConceptExplanation
from .extractor import ConceptExtractor as ConceptExtractor
from .head import ConceptHead as ConceptHead
from .ica import ICAConcepts as ICAConcepts
from .kmeans import KMeansConcepts as KMeansConcepts
from .learned import LearnedConcepts as LearnedConcepts
from .localization import ConceptPresence as ConceptPresence
from .nmf import NMFConcepts as NMFConcepts
from .pca import PCAConcepts as PCAConcepts
from .semi_nmf import SemiNMFConcepts as SemiNMFConcepts
from .tree import ConceptTree as ConceptTree
from .tree import Split as Split
