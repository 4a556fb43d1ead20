"""Controls: maps that never look at the model, which a method has to beat."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_integer, check_number
from ..core.layout import Layout
from ..engine import Explainer, Plan, reducers

_BLIND = "a control looks at no model, so that its map is the same for all of them"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Control(Explainer, abc.ABC):
    """A map that is made without asking the model."""

    exempt: ClassVar[dict[str, str]] = {"model": _BLIND, "target": _BLIND, "constant_model": _BLIND}

    @abc.abstractmethod
    def maps(self, inputs: Any, layout: Layout) -> Any:
        """The maps of inputs `(m, ...)`: `(m, h, w, 1)` of images, else of the shape of the inputs."""

    def plan(self, layout: Layout, outputs: Any) -> Plan:
        """No variant at all."""

        def finish(state: Any, inputs: Any, side: Any) -> dict[str, Any]:
            return {"maps": self.maps(inputs, layout)}

        return Plan(
            count=0,
            query=lambda bound, operator, drawn, targets: tf.zeros(tf.shape(drawn)[:1]),
            draw=lambda inputs, side, index: (inputs, ()),
            start=reducers.table(1),
            fold=lambda state, items, extra, values: state,
            finish=finish,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class RandomMap(_Control):
    """How well does a map do that was drawn by chance?

    The control row of a benchmark: a method that does not beat it says nothing. Each value is drawn from [0, 1), by
    the seed and the values of the input, so that every input has a map of its own, wherever it stands in the data.

    Parameters
    ----------
    grid_size : cells along each side of an image, enlarged as the maps of RISE are; None draws each pixel by itself.
        Single pixels taken away at random soon spoil a photograph for a network, so that both are worth a row.

    Returns
    -------
    maps : `(n, h, w, 1)`, in [0, 1); `(n, t, f)` of series and `(n, f)` of tables.

    Cost
    ----
    No pass, and one forward for the score of the input.

    Example
    -------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1)).astype("float32")
    >>> maps = RandomMap(lambda x: x[:, 0, 0]).explain(images, 0)
    >>> maps.shape, bool((maps[0] == maps[1]).all())
    ((2, 8, 8, 1), False)

    Source
    ------
    The random row of V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box
    Models", BMVC 2018, https://arxiv.org/abs/1806.07421
    """

    grid_size: int | None = None

    estimand: ClassVar[str] = "nothing: drawn by chance"

    def check(self) -> None:
        """Checks the options."""
        if self.grid_size is not None:
            check_integer("RandomMap", "grid_size", self.grid_size, 1, "Use 7, or None for single pixels.")

    def maps(self, inputs: Any, layout: Layout) -> Any:
        """Uniform draws, by the seed and a checksum of the input."""
        shape: Any = layout.spatial
        if layout.is_image:
            shape = (*(shape if self.grid_size is None else (min(self.grid_size, side) for side in shape)), 1)
        if layout.is_image and layout.channels_first:
            inputs = tf.transpose(inputs, (0, 2, 3, 1))
        bits = tf.bitcast(tf.reshape(inputs, (tf.shape(inputs)[0], -1)), tf.int32)
        # Odd factors, so that no bit is lost when the sum runs over; 2654435761 is 2^32 over the golden ratio.
        factors = tf.range(tf.shape(bits)[1]) * tf.constant(2654435761 - 2**32, tf.int32) * 2 + 1
        marks = tf.reduce_sum(bits * factors, axis=1)
        seeds = tf.stack([tf.fill(tf.shape(marks), tf.constant(self.seed % 2**31, tf.int32)), marks], axis=1)
        return tf.map_fn(
            lambda seed: tf.random.stateless_uniform(shape, seed), seeds, fn_output_signature=tf.TensorSpec(shape)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class EdgeMap(_Control):
    """How well does an edge detector do, which knows the image and not the model?

    The control row of a benchmark, because people take edges for explanations: the length of the Sobel gradient of the
    mean of the channels.

    Parameters
    ----------
    model : asked for the score of the image alone.

    Returns
    -------
    maps : `(n, h, w, 1)`, not negative.

    Cost
    ----
    No pass, and one forward for the score of the input.

    Example
    -------
    >>> import numpy as np
    >>> image = np.zeros((1, 4, 6, 1), "float32")
    >>> image[:, :, 3:] = 1
    >>> EdgeMap(lambda x: x[:, 0, 0]).explain(image, 0)[0, 1, :, 0].tolist()
    [0.0, 0.0, 4.0, 4.0, 0.0, 0.0]

    Source
    ------
    J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim, "Sanity Checks for Saliency Maps", NeurIPS 2018,
    https://arxiv.org/abs/1810.03292
    """

    estimand: ClassVar[str] = "strength of the edges of the image, whatever the model"
    deterministic: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("image",)

    def maps(self, inputs: Any, layout: Layout) -> Any:
        """The length of the gradient."""
        grey = tf.expand_dims(tf.reduce_mean(inputs, axis=layout.channel_axis), -1)
        return tf.sqrt(tf.reduce_sum(tf.image.sobel_edges(grey) ** 2, axis=-1))


@dataclass(frozen=True, eq=False, kw_only=True)
class CentreBlob(_Control):
    """How well does a map do that always points at the middle?

    The control row of a benchmark, because photographers put things there: a Gaussian around the centre of the image,
    the same for all.

    Parameters
    ----------
    width : the standard deviation, as a fraction of each side of the image.

    Returns
    -------
    maps : `(n, h, w, 1)`, in (0, 1].

    Cost
    ----
    No pass, and one forward for the score of the input.

    Example
    -------
    >>> import numpy as np
    >>> maps = CentreBlob(lambda x: x[:, 0, 0]).explain(np.zeros((1, 5, 5, 1), "float32"), 0)
    >>> int(maps.maps.argmax()), float(maps.maps.max())
    (12, 1.0)

    Source
    ------
    The centre row of J. Zhang, S. A. Bargal, Z. Lin, J. Brandt, X. Shen, S. Sclaroff, "Top-down Neural Attention by
    Excitation Backprop", ECCV 2016, section 4.1, https://arxiv.org/abs/1608.00507
    """

    width: float = 0.25

    estimand: ClassVar[str] = "nearness to the centre of the image, whatever it shows"
    exempt: ClassVar[dict[str, str]] = {
        **_Control.exempt,
        "image": "the middle of an image is where it is, whatever the image shows",
    }
    deterministic: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("image",)

    def check(self) -> None:
        """Checks the options."""
        check_number("CentreBlob", "width", self.width, 1e-3, 10.0, "Use 0.25, a quarter of each side.")

    def maps(self, inputs: Any, layout: Layout) -> Any:
        """The Gaussian, once for each image."""
        height, width = layout.spatial
        rows, columns = (
            tf.exp(-0.5 * ((tf.range(side, dtype=tf.float32) - (side - 1) / 2) / (self.width * side)) ** 2)
            for side in (height, width)
        )
        blob = rows[:, None] * columns[None, :]
        return tf.repeat(blob[None, :, :, None], tf.shape(inputs)[0], axis=0)
