"""The box that the answers of a layer span while the input changes: the sampled part of the hybrid EVA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ..core.layout import Layout
from ..engine import Bound, Items, Plan, reducers
from ..models.bounds import Cells, Listed, Region, between
from ..perturbations.noise import normal_noise
from .eva_stages import Given, margin

# Stands for an answer that is none.
FAR = 1e30
# Tells the signs at a layer from the noise of the same number at the input.
SIGNS = 7919
HALVES = 2


@dataclass(frozen=True, eq=False)
class _Spanned(Listed):
    """Boxes at a layer, `given["boxes"]`, a `Box` of `(n, count, *shape)`."""

    def region(self, inputs: Any, given: Any, index: Any) -> Region:
        """The box of that number."""
        return Listed.region(self, inputs, given["boxes"], index)


@dataclass(frozen=True, eq=False, kw_only=True)
class SampledBox:
    """How far do the answers of a layer go while the input changes within each box of a family?

    Every sample is a vertex of the box at the input, and the opposite vertex is one, too. The first half of the pairs
    lie along the gradient of the margin, and along that of sums of the layer's answers with the weights that they have
    in the margin and random signs; the others at random. The same vertices serve all boxes, with what is frozen put
    back, so that differences between boxes are not those of draws. Even and odd pairs are two replicates.

    Parameters
    ----------
    layer : which one, as `find_layer` takes it.
    shape : of its answer for one sample.
    cells : the boxes at the input.
    pairs : of opposite vertices, a multiple of 4.
    layout, seed : of the samples, and of the draws.
    """

    layer: Any
    shape: tuple[int, ...]
    cells: Cells
    pairs: int
    layout: Layout
    seed: int

    @property
    def guided(self) -> int:
        """Pairs along gradients."""
        return self.pairs // 2

    def directions(self) -> Plan:
        """The stage that finds the gradients, and what the layer answers to the input as it is."""

        def query(bound: Bound, operator: Any, drawn: Any, targets: Any) -> Any:
            x, index = drawn["x"], drawn["index"]
            kept: list[Any] = []

            def forward(inputs: Any) -> Any:
                answer, outputs = bound.tap(self.layer)(inputs)
                kept.append(answer)
                return outputs

            with tf.GradientTape(persistent=True) as tape:
                tape.watch(x)
                highest = margin(forward, x, targets)
            slope: Any = tape.gradient(highest, kept[0])
            first = tf.reshape(index == 0, (-1, *[1] * len(self.shape)))
            slope *= tf.where(first, 1.0, self._signs(index))
            found: Any = tape.gradient(kept[0], x, output_gradients=slope)
            centre = tf.where(first, kept[0], 0.0)
            # As signs, of one byte each.
            return {"directions": tf.cast(tf.sign(found), tf.int8), "centre": centre}

        def start(x: Any, given: Given) -> Any:
            return {
                "directions": reducers.table(self.guided, *self.layout.shape, like=tf.int8)(x, given),
                "centre": reducers.table(*self.shape)(x, given),
            }

        def fold(state: Any, items: Items, extra: Any, values: Any) -> Any:
            return {
                "directions": items.put(state["directions"], values["directions"]),
                "centre": items.add(state["centre"], values["centre"]),
            }

        return Plan(
            count=self.guided,
            query=query,
            draw=lambda x, given, index: ({"x": x, "index": index}, ()),
            start=start,
            fold=fold,
            finish=lambda state, x, given: {**given, **state},
            backward=True,
        )

    def samples(self) -> Plan:
        """The stage that shows the vertices of all boxes; hands over `given["boxes"]`.

        The first of them holds all samples, which all lie in the whole box at the input; then come those of the family,
        of all samples, of the even pairs and of the odd ones.
        """
        boxes = self.cells.count

        def draw(x: Any, own: Any, index: Any) -> Any:
            given, sample = own
            pair, flipped, box = index // boxes // 2, (index // boxes) % 2, index % boxes
            small = {name: given[name] for name in ("epsilon", "valid_range") if name in given}
            region = self.cells.region(x, tf.nest.map_structure(lambda leaf: tf.gather(leaf, sample), small), box)
            along = tf.gather_nd(given["directions"], tf.stack([sample, tf.minimum(pair, self.guided - 1)], axis=-1))
            ones = [1] * len(self.layout.shape)
            guided = tf.reshape(pair < self.guided, (-1, *ones))
            towards = tf.where(guided, tf.cast(along, tf.float32), normal_noise(self.layout, self.seed, pair))
            towards *= tf.reshape(1.0 - 2.0 * tf.cast(flipped, tf.float32), (-1, *ones))
            ends = tf.where(towards > 0, region.box.upper, tf.where(towards < 0, region.box.lower, x))
            return ends, ()

        def query(bound: Bound, operator: Any, drawn: Any, targets: Any) -> Any:
            return bound.tap(self.layer)(drawn)[0]

        def start(x: Any, given: Given) -> Any:
            ones = [1] * len(self.shape)
            # The input itself lies in every box.
            still = tf.tile(given["centre"][:, None, None], (1, HALVES, boxes, *ones))
            return {"lower": still, "upper": still}

        def fold(state: Any, items: Items, extra: Any, values: Any) -> Any:
            pair, box = items.index // boxes // 2, items.index % boxes
            for half in range(HALVES):
                # The gradient of the margin is no draw, and serves both replicates.
                own = tf.reshape((pair == 0) | (pair % HALVES == half), (-1, *[1] * len(self.shape)))
                where = tf.stack([items.sample, tf.fill(tf.shape(pair), half), box], axis=-1)
                lower, upper = tf.where(own, values, FAR), tf.where(own, values, -FAR)
                state = {
                    "lower": tf.tensor_scatter_nd_min(state["lower"], where, lower),
                    "upper": tf.tensor_scatter_nd_max(state["upper"], where, upper),
                }
            return state

        def finish(state: Any, x: Any, given: Given) -> Given:
            ends = []
            for name, reduce in (("lower", tf.reduce_min), ("upper", tf.reduce_max)):
                whole = reduce(state[name], axis=1)
                parts = [reduce(whole, axis=1, keepdims=True), whole, *tf.unstack(state[name], axis=1)]
                ends.append(tf.concat(parts, axis=1))
            kept = {name: each for name, each in given.items() if name not in ("directions", "centre")}
            return {**kept, "boxes": between(*ends)}

        return Plan(
            count=2 * self.pairs * boxes,
            query=query,
            draw=draw,
            start=start,
            fold=fold,
            finish=finish,
            whole_side=True,
        )

    @property
    def spanned(self) -> _Spanned:
        """The boxes that `samples` hands over."""
        return _Spanned(count=1 + (1 + HALVES) * self.cells.count)

    def _signs(self, index: Any) -> Any:
        return tf.map_fn(
            lambda number: tf.sign(
                tf.random.stateless_uniform(self.shape, tf.stack([tf.constant(self.seed + SIGNS), number]), -1.0, 1.0)
            ),
            index,
            fn_output_signature=tf.TensorSpec(self.shape, tf.float32),
        )
