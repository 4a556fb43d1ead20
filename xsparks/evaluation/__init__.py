"""Floor 4: many methods and metrics in one table."""

from .benchmark import Benchmark as Benchmark
from .ranking import Difference as Difference
from .result import BenchmarkResult as BenchmarkResult
from .result import MethodCost as MethodCost
