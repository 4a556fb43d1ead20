"""How far an input can be moved without another decision, for certain, from the Lipschitz constant of a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import ModelError, wording
from ..core.inputs import Reader
from ..engine.session import OnModel
from ..models.operators import resolve_targets
from .constants import LipschitzConstants, lipschitz_constants

# By how much each recipe stretches pixels.
_RECIPES = {None: 1.0, "tf": 1 / 127.5, "torch": 1 / 57.12, "caffe": 1.0}
_GROUP = 1024


class CertifiedRadii(NamedTuple):
    """Within which Euclidean distance no input is decided otherwise.

    radii : `(n,)`, in the unit of the inputs.
    predicted : `(n,)`, the class that is kept.
    margins : `(n,)`, the logit of that class less the next.
    correct : `(n,)` bool, whether it is the label; None without labels.
    """

    radii: np.ndarray
    predicted: np.ndarray
    margins: np.ndarray
    correct: np.ndarray | None

    def certified(self, distances: Any) -> np.ndarray:
        """Which inputs are right and stay so, `(n, k)` of 0 and 1 for distances `(k,)`; without labels, which stay.

        The mean over the first axis is the curve of certified accuracy: `plot_curves({"name": (distances, found)})`.
        """
        distances = np.asarray(distances, np.float64).reshape(1, -1)
        kept = (self.radii[:, None] > distances) | (distances <= 0)
        right = True if self.correct is None else self.correct[:, None]
        return (kept & right).astype(np.float64)


@dataclass(frozen=True, eq=False, kw_only=True)
class LipschitzCertificate(OnModel):
    """How far can this image be changed without the model deciding otherwise, for certain?

    With the predicted class c, the least over the other classes of

        radius = (f_c(x) - f_j(x)) / L_cj

    where `L_cj` is an upper bound of how much `f_c - f_j` stretches: for a network that ends with a Dense layer of
    columns `v`, `|v_c - v_j|` times the bound of all before (at most `sqrt(2)` for a 1-Lipschitz head, 2 for disjoint
    outputs), else `sqrt(2)` times the bound of the whole. The bounds are computed from the stored weights, layer by
    layer; that a layer is called 1-Lipschitz is not enough.

    Use it on networks of `xsparks.lipschitz`. On others it is as true, and too small to be of use: see `EVA` and
    `xsparks.models.bounds`.

    Parameters
    ----------
    model : a Sequential or functional classifier; a final softmax is left out. One output decides by its sign.

    Returns
    -------
    found : `certify` gives `CertifiedRadii`, for inputs and changes in the space before `preprocess`.

    Raises
    ------
    ModelError : a layer whose constant is not known; a preprocessing that is a function; several inputs.

    Cost
    ----
    The bounds once, seconds; one forward a sample.

    Departs
    -------
    The bounds hold in exact arithmetic; what float32 rounds in a forward, some 1e-6 of a logit, is not taken off.

    Example
    -------
    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False)])
    >>> model.set_weights([np.eye(2)])
    >>> LipschitzCertificate(model).certify(np.array([[3.0, 1.0]])).radii.round(4).tolist()
    [1.4142]

    Source
    ------
    Y. Tsuzuku, I. Sato, M. Sugiyama, "Lipschitz-Margin Training", NeurIPS 2018, https://arxiv.org/abs/1802.04034
    """

    def check(self) -> None:
        """Refuses what no bound is known for."""
        for option in ("operator", "output_layer", "explain_input"):
            given = getattr(self, option)
            if given is not None:
                raise ValueError(
                    wording(
                        f"{type(self).__name__}({option}={given!r})",
                        expected="certificates are of the classes of a model of one input",
                        received=repr(given),
                        remedy="Make a model of the part that you want to certify.",
                    )
                )
        if callable(self.preprocess):
            raise ModelError(
                wording(
                    type(self).__name__,
                    expected="`preprocess` must be one whose constant is known: 'tf', 'torch', 'caffe' or None",
                    received="a function",
                    remedy="Put it into the model, as a Rescaling or Normalization layer.",
                )
            )

    @cached_property
    def constants(self) -> LipschitzConstants:
        """The constants of the layers, as the weights are now; a changed model needs a new certificate."""
        return lipschitz_constants(self.model, measure=False)

    def certify(self, inputs: Any, labels: Any = None) -> CertifiedRadii:
        """The certified radii of these inputs.

        Parameters
        ----------
        inputs : `(n, ...)`, of any kind that explainers take.
        labels : `(n,)`, to tell which predictions are right.
        """
        where = f"{type(self).__name__}.certify"
        reader = Reader(inputs, labels, self._sample_rank(inputs), where)
        self.access.ensure_ready(self._checked(reader.peek()))
        parts = []
        while (samples := reader.read(_GROUP)) is not None:
            given = self._checked(samples.inputs, samples.start)
            logits = self._of_classes(np.asarray(self.engine.predict(given), np.float64), where)
            correct = None
            predicted = logits.argmax(axis=1)
            if samples.targets is not None:
                asked = resolve_targets(samples.targets, logits, self.engine.operator, where, samples.start)
                correct = predicted == (asked if asked.ndim == 1 else asked.argmax(axis=1))
            parts.append((*self._radii(logits, predicted), predicted, correct))
        radii, margins, predicted, correct = zip(*parts, strict=True)
        right = None if correct[0] is None else np.concatenate([each for each in correct if each is not None])
        return CertifiedRadii(np.concatenate(radii), np.concatenate(predicted), np.concatenate(margins), right)

    def _of_classes(self, outputs: np.ndarray, where: str) -> np.ndarray:
        if outputs.ndim == 2 and np.isfinite(outputs).all():
            return np.concatenate([-outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs
        raise ModelError(
            wording(
                where,
                expected="the model must answer with the scores of classes, (n, classes), finite ones",
                received=f"shape {outputs.shape}" if outputs.ndim != 2 else "NaN or infinity",
                remedy="Pass a classifier, and look at its weights.",
            )
        )

    def _radii(self, logits: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(len(logits))
        lead = logits[rows, predicted][:, None] - logits
        others = np.arange(logits.shape[1]) != predicted[:, None]
        constants = self._margin_constants(logits.shape[1])[predicted]
        with np.errstate(divide="ignore", invalid="ignore"):
            # A margin that nothing changes is certain everywhere.
            ratios = np.where(constants > 0, lead / constants, np.where(lead > 0, np.inf, 0.0))
        return np.where(others, ratios, np.inf).min(axis=1), np.where(others, lead, np.inf).min(axis=1)

    def _margin_constants(self, classes: int) -> np.ndarray:
        stretch = _RECIPES[self.preprocess]
        margins = self.constants.margin_constants()
        if margins is None or margins.shape[0] not in (1, classes):
            return np.full((classes, classes), np.sqrt(2) * self.constants.upper * stretch)
        if margins.shape[0] == classes:
            return margins * stretch
        # One output: its negative and itself are twice as far apart.
        return np.full((2, 2), 2 * self.constants.upper * stretch)
