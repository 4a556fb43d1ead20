"""Floor 4: many methods and metrics in one table."""

from .benchmark import Benchmark as Benchmark
from .concept_tables import compare_extractors as compare_extractors
from .concept_tables import compare_importances as compare_importances
from .ranking import Difference as Difference
from .result import BenchmarkResult as BenchmarkResult
from .result import MethodCost as MethodCost
