"""SISE (Sattarzadeh, Sudhakar, Lem, Mehryar, Plataniotis, Jang, Kim, Jeong, Lee, Bae 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import tensorflow as tf

from ..core.checks import check_integer, check_number
from ..core.errors import wording
from ..core.layout import Layout
from ..engine import Explainer, Items, Plan, queries, reducers
from ..models.places import Place, last_of_each_grid
from ..numerics.otsu import otsu_threshold
from ..perturbations import Inpainting
from .activation_explainer import as_mask, at_places, check_reshape, chosen_place, scaled, spread_maps


@dataclass(frozen=True, eq=False, kw_only=True)
class SISE(Explainer):
    """Which parts, by early layers for the detail and by late ones for the meaning, raise the score by themselves?

    Of the last layer `l` of each resolution, the channels `A_k` whose mean gradient is above `mu` times the largest
    become masks `m_k`, enlarged and scaled to `[0, 1]`. The image `X` is seen through each before a baseline `X_b`:

        V_l = sum_k relu(f(X_b + m_k (X - X_b)) - f(X_b)) m_k / sum_pixels m_k,     scaled to [0, 1];
        M_1 = V_1,     M_l = (M_(l-1) + V_l) [V_l > Otsu's threshold of V_l].

    Use it for finer maps than one layer has. Not where forwards are dear, because there is one for every mask.

    Parameters
    ----------
    layers : whose answers are read, from the first to the last: names, dotted paths, positions or layers. None for the
        last layer of every resolution that the outputs depend on, before pooling; `.settings["layers"]` says which.
    reshape : for layers that answer with tokens whose rows and columns cannot be found: a function
        `(b, n, c) -> (b, rows, columns, c)`.
    threshold : share of the largest mean gradient that a channel must pass, `mu`, in [0, .99]; at 0 those with a
        positive mean gradient become masks.
    channels : most masks of each layer, those of the largest mean gradients; None for no limit.
    baseline : `X_b`: `"zero"`, `"middle"` of the input range, `"mean"` colour, `"blur"`, `"noise"`, a number, an array
        of the shape of a sample or of its channels, or a function of inputs.

    Returns
    -------
    maps : `(n, h, w, 1)`, between 0 and the number of layers. `(n, t, f)` for series, the same for all features.
        Extras: `.masks (n, layers)`, how many masks each layer gave.

    Raises
    ------
    ModelError : no Keras model, no gradients, or no layer laid out in space.

    Cost
    ----
    2 forwards and 1 backward a sample, and one forward for each mask (700 of VGG16); that is about half of all channels
    of the layers, at most `channels` a layer. Memory: one batch of images, each with the answers of all layers (24 MB
    for VGG16, less with `channels`).

    Departs
    -------
    Masks count by how much they raise the score above that of the baseline, where the paper has the probability of the
    class: logits may be negative and have no zero. A layer in which no mask raises the score is left out of the fusion,
    which it would set to 0. Hidden parts are zero in the paper, which eats normalised images: the middle.

    Example
    -------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([
    ...     keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="features"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(1, kernel_initializer="ones"),
    ... ])
    >>> image = np.array([[0.0, 1.0], [2.0, 4.0]], "float32").reshape(1, 2, 2, 1)
    >>> maps = SISE(model).explain(image, 0)
    >>> maps.values.ravel().tolist(), maps.masks.tolist(), maps.settings["layers"]
    ([0.0, 0.25, 0.5, 1.0], [[1.0]], ['features'])

    Source
    ------
    S. Sattarzadeh, M. Sudhakar, A. Lem, S. Mehryar, K. N. Plataniotis, J. Jang, H. Kim, Y. Jeong, S. Lee, K. Bae,
    "Explaining Convolutional Neural Networks through Attribution-Based Input Sampling and Block-Wise Feature
    Aggregation", AAAI 2021, https://arxiv.org/abs/2010.00672
    """

    layers: Sequence[Any] | None = None
    reshape: Callable[[Any], Any] | None = None
    threshold: float = 0.0
    channels: int | None = None
    baseline: Any = "middle"

    needs_gradients: ClassVar[bool] = True
    needs_layers: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("image", "series")
    estimand: ClassVar[str] = "masks of several layers, weighted by the score of the image seen through each"

    def check(self) -> None:
        """Checks the options."""
        name = type(self).__name__
        check_reshape(name, self.reshape)
        if self.layers is not None and (isinstance(self.layers, str) or not isinstance(self.layers, Sequence)):
            raise TypeError(
                wording(
                    f"{name}(layers={self.layers!r})",
                    expected="`layers` must be a list of layers",
                    received=type(self.layers).__name__,
                    remedy="Put it into a list, or use None for the last layer of every resolution.",
                )
            )
        if self.layers is not None and not len(self.layers):
            raise ValueError(
                wording(
                    f"{name}(layers={self.layers!r})",
                    expected="`layers` must hold a layer",
                    received="none",
                    remedy="Use None for the last layer of every resolution.",
                )
            )
        check_number(name, "threshold", self.threshold, 0, 0.99, "Use 0, or .3 for fewer masks.")
        if self.channels is not None:
            check_integer(name, "channels", self.channels, 1, "Use None for no limit, or 32 for a draft.")

    @cached_property
    def places(self) -> list[Place]:
        """The layers that are read, from the first to the last."""
        found = last_of_each_grid(self.engine.places) if self.layers is None and self.reshape is None else []
        return found or [chosen_place(self, layer, self.reshape) for layer in self.layers or [None]]

    def decided(self) -> dict[str, Any]:
        """The layers that were found."""
        return {"layers": [place.name for place in self.places]}

    def plan(self, layout: Layout, outputs: Any) -> tuple[Plan, Plan]:
        """The answers of the layers and their gradients, then the input seen through each mask."""
        places = self.places
        most = [min(place.channels, self.channels or place.channels) for place in places]
        return self._reading(places, most), self._masking(layout, places, most)

    def _reading(self, places: list[Place], most: list[int]) -> Plan:
        """The channels of each layer, those of the largest mean gradients first, and how many become masks."""
        ask = queries.activations_and_gradients([place.name for place in places])

        def query(bound: Any, operator: Any, inputs: Any, targets: Any) -> Any:
            answered = ask(bound, operator, inputs, targets)
            kept, channels = [], []
            for place, largest, answer, slope in zip(
                places, most, answered["activations"], answered["gradients"], strict=True
            ):
                strength, order = tf.math.top_k(tf.reduce_mean(place.on_grid(slope), axis=(1, 2)), largest)
                least = self.threshold * tf.nn.relu(strength[:, :1])
                kept.append(tf.reduce_sum(tf.cast(strength > least, tf.float32), axis=1))
                every = tf.transpose(place.on_grid(answer), (0, 3, 1, 2))
                channels.append(tf.gather(every, order, batch_dims=1))
            return {"kept": tf.stack(kept, axis=1), "channels": tuple(channels)}

        tables = [reducers.table(largest, *place.cells) for place, largest in zip(places, most, strict=True)]

        def start(inputs: Any, side: Any) -> Any:
            kept = reducers.table(len(places))(inputs, side)
            return {"kept": kept, "channels": tuple(table(inputs, side) for table in tables)}

        return Plan(
            count=1,
            backward=True,
            query=query,
            draw=lambda inputs, side, index: (inputs, ()),
            start=start,
            fold=reducers.total,
            finish=reducers.as_is,
        )

    def _masking(self, layout: Layout, places: list[Place], most: list[int]) -> Plan:
        """The input seen through nothing, then through each mask, layer by layer."""
        perturbation = Inpainting(self.baseline)
        total = 1 + sum(most)

        def prepare(inputs: Any, side: Any) -> Any:
            reference = perturbation.reference(inputs, layout, self.seed, self.access.input_range)
            return {**side, "reference": reference}

        def enlarged(channels: Any, chosen: Any, here: Any, pixels: Any) -> Any:
            own = tf.reshape(here, (-1, *[1] * (len(pixels.shape) - 1)))
            return tf.where(own, at_places(tf.gather_nd(channels, chosen), layout), pixels)

        def draw(inputs: Any, whole: Any, index: Any) -> tuple[Any, Any]:
            """Masks of a layer are made for a batch with an item of the layer, and the item takes that of its own."""
            side, sample = whole
            kept = tf.cast(tf.gather(side["kept"], sample), tf.int32)
            reference = tf.nest.map_structure(lambda leaf: tf.gather(leaf, sample), side["reference"])
            pixels = tf.zeros([tf.shape(inputs)[0], *layout.spatial[: 2 if layout.is_image else 1]])
            place = tf.zeros_like(index)
            within = index - 1
            first = 0
            for layer, channels in enumerate(side["channels"]):
                here = (within >= 0) & (within < kept[:, layer])
                chosen = tf.stack([sample, tf.clip_by_value(within, 0, most[layer] - 1)], axis=1)
                pixels = tf.cond(
                    tf.reduce_any(here), partial(enlarged, channels, chosen, here, pixels), partial(tf.identity, pixels)
                )
                place = tf.where(here, 1 + first + within, place)
                within -= kept[:, layer]
                first += most[layer]
            mask, low, width = scaled(pixels)
            mass = tf.reduce_sum(mask, axis=list(range(1, len(mask.shape))))
            scale = tf.math.divide_no_nan(tf.ones_like(width), width * mass)
            shown = perturbation(inputs, as_mask(mask, layout), reference)
            return shown, {"place": place, "low": low, "scale": scale}

        def start(inputs: Any, side: Any) -> Any:
            return {name: reducers.table(total)(inputs, side) for name in ("score", "low", "scale")}

        def fold(state: Any, items: Items, extra: Any, scores: Any) -> Any:
            places_of_items = items._replace(index=extra["place"])
            values = {"score": scores, "low": extra["low"], "scale": extra["scale"]}
            return {name: places_of_items.put(state[name], values[name]) for name in state}

        def finish(state: Any, inputs: Any, side: Any) -> Any:
            weights = tf.nn.relu(state["score"] - state["score"][:, :1]) * state["scale"]
            maps, first = None, 1
            for layer, largest in enumerate(most):
                chosen = slice(first, first + largest)
                weight, low = weights[:, chosen], state["low"][:, chosen]
                cells = tf.einsum("mk,mkij->mij", weight, side["channels"][layer])
                cells -= tf.reduce_sum(weight * low, axis=1)[:, None, None]
                visual = scaled(at_places(cells, layout))[0]
                maps = visual if maps is None else fused(maps, visual)
                first += largest
            return {"maps": spread_maps(maps, layout), "masks": side["kept"]}

        return Plan(
            count=lambda inputs, side: 1 + tf.cast(tf.reduce_sum(side["kept"], axis=1), tf.int32),
            most=total,
            whole_side=True,
            query=queries.score,
            prepare=prepare,
            draw=draw,
            start=start,
            fold=fold,
            finish=finish,
        )


def fused(maps: Any, following: Any) -> Any:
    """The maps of the layers so far and that of the next, added up where Otsu's threshold finds the latter high; as
    they are where the next is 0 everywhere. `(m, h, w)`, or `(m, t)` for series.
    """
    rank = len(following.shape)
    flat = tf.reshape(following, (tf.shape(following)[0], -1))
    threshold = tf.reshape(otsu_threshold(flat), (-1, *[1] * (rank - 1)))
    silent = tf.reduce_all(following == 0, axis=list(range(1, rank)), keepdims=True)
    return (maps + following) * tf.cast((following > threshold) | silent, following.dtype)
