"""Floor 2: plans and loops, and the one engine that runs them."""

from .ascent import Ascent as Ascent
from .checkpoint import Checkpoint as Checkpoint
from .engine import Engine as Engine
from .explainer import Explainer as Explainer
from .explainer import explainer_classes as explainer_classes
from .explainer_metric import Change as Change
from .explainer_metric import ExplainerMetric as ExplainerMetric
from .explainer_metric import Group as Group
from .explanation import Explanation as Explanation
from .gradient_explainer import GradientExplainer as GradientExplainer
from .map_metric import MapMetric as MapMetric
from .map_statistic import MapStatistic as MapStatistic
from .measurement import Answers as Answers
from .measurement import Measurement as Measurement
from .metric import Metric as Metric
from .metric import metric_classes as metric_classes
from .plan import Bound as Bound
from .plan import Items as Items
from .plan import Loop as Loop
from .plan import Plan as Plan
from .plan import Repeated as Repeated
from .score import Score as Score
from .training_metric import TrainingMetric as TrainingMetric
from .verified_bounds import VerifiedBounds as VerifiedBounds
