"""The control of algorithmic stability: a map that looks at the picture alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.inputs import Reader


@dataclass(frozen=True, eq=False, kw_only=True)
class InputMap:
    """How stable is a map that never asks the model?

    The map of a picture is `|x|`, averaged over its channels. It is the same for every model, so that its MeGe is 1
    whatever the data, and its ReCo 0. Methods that multiply by the input, such as `GradientInput` and
    `IntegratedGradients`, gain stability in the same way: read their MeGe beside this row and beside that of the bare
    gradient, and never without ReCo.

    Parameters
    ----------
    model : any; it is not used, so that the class serves as `make_explainer`.

    Returns
    -------
    maps : `(n, h, w)` float32, when `explain(inputs, targets)` is called.

    Example
    -------
    >>> InputMap().explain(np.array([[[[-1.0, 3.0]]]])).tolist()
    [[[2.0]]]
    """

    model: Any = field(default=None, kw_only=False)

    def explain(self, inputs: Any, targets: Any = None) -> np.ndarray:
        """The size of each input's values, whatever the target."""
        samples = Reader(inputs, None, None, type(self).__name__).read(2**62)
        values = np.abs(np.asarray(samples.inputs, dtype=np.float32))  # pyright: ignore[reportOptionalMemberAccess]
        return values.mean(axis=-1) if values.ndim == 4 else values
