"""Floor 3: what does the model see? Concepts, their maps, and how much each counts."""

from .cav import CAV as CAV
from .cav import concept_activation_vector as concept_activation_vector
from .convex_nmf import ConvexNMFConcepts as ConvexNMFConcepts
from .counterfactuals import ConceptChanges as ConceptChanges
from .counterfactuals import ConceptCounterfactuals as ConceptCounterfactuals
from .craft import CRAFT as CRAFT
from .crops import CropGrid as CropGrid
from .dictionary import Dictionary as Dictionary
from .explanation import ConceptExplanation as ConceptExplanation
from .extraction_metrics import ExtractionMetrics as ExtractionMetrics
from .extractor import ConceptExtractor as ConceptExtractor
from .head import ConceptHead as ConceptHead
from .ica import ICAConcepts as ICAConcepts
from .kmeans import KMeansConcepts as KMeansConcepts
from .learned import LearnedConcepts as LearnedConcepts
from .localization import ConceptPresence as ConceptPresence
from .nmf import NMFConcepts as NMFConcepts
from .pca import PCAConcepts as PCAConcepts
from .semi_nmf import SemiNMFConcepts as SemiNMFConcepts
from .strategies import ConceptStrategies as ConceptStrategies
from .tcav import TCAV as TCAV
from .tree import ConceptTree as ConceptTree
from .tree import Split as Split
