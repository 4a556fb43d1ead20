"""Floor 1: numbers without models. Designs, estimators, intervals, smoothing, ranks, resizing.

Import from the modules, as in `from xsparks.numerics.resize import enlarge`: `sobol_designs` and `resize` run on NumPy
and SciPy alone, and nothing here brings TensorFlow in for them.
"""
