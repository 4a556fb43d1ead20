"""Floor 3: do explanations help people? The meta-predictor: a study to run, and its score."""

from .control import bottom_up_saliency as bottom_up_saliency
from .items import Items as Items
from .pilot import simulated_pilot as simulated_pilot
from .reading import read_results as read_results
from .results import Exclusion as Exclusion
from .results import StudyResults as StudyResults
from .significance import Anova as Anova
from .significance import Comparison as Comparison
from .significance import anova as anova
from .significance import compare_with_baseline as compare_with_baseline
from .study import MetaPredictorStudy as MetaPredictorStudy
from .utility import Utility as Utility
from .utility import utility_k as utility_k
