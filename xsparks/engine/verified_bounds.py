"""Verified bounds as plans: the passes over boxes and rows that the engine batches and compiles.

Each node whose bounds are tightened is a stage: its work items are chunks of the rows that its unstable entries need.
The last stage bounds the margins; its items are chunks of classes, of one relaxation or of that of each box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from ..core.checks import check_choice, check_integer
from ..models.bounds import Box, Family, Network, Pool, Region, certain, highest, spheres, total
from .bound_margins import margins_of_each, margins_of_one
from .bound_slopes import slopes_loop
from .bound_stages import UNBOUNDED, Known
from .bound_tightening import tightening
from .plan import Loop, Plan
from .schedule import even_batches

METHODS = ("ibp", "crown_ibp", "crown")
RELAXATIONS = ("shared", "own")
# Numbers of the largest layer in flight for one item; a batch holds 32 items or more.
NUMBERS_OF_AN_ITEM = 1_000_000
MOST_ROWS = 64


@dataclass(frozen=True, eq=False, kw_only=True)
class VerifiedBounds:
    """How high can the margins of a network be, for certain, for all inputs in a box?

    For a sample of class `c` and every other class `c'` an upper bound of `f_c'(x) - f_c(x)` over each box of a family,
    with the difference itself as what is bounded. All are at most zero: no input in the box is classified otherwise.

    Parameters
    ----------
    network : from `xsparks.models.bounds.read_network`.
    family : the boxes of a sample, such as `Around()` or `Cells(cell_of=...)`.
    method : `"ibp"`, intervals alone; `"crown_ibp"`, one backward pass over relaxations made of intervals; `"crown"`,
        relaxations made of backward passes for every unstable entry of every activation. Each takes longer than the one
        before and is intersected with intervals.
    relaxation : `"shared"`, the linear bounds are made on the first box, which holds the others, and evaluated on each;
        `"own"`, the bounds before each activation are evaluated on each box, and the last pass is made with the lines
        of each (`shared_bounds` of the reference).
    rivals : how many classes `c'` of each sample are bounded, which are then handed over as `given["rivals"]`,
        `(m, rivals)` int32; None for all.
    outputs : bound the outputs themselves instead of margins, from above and from below.
    colour : let entries of convolutions whose receptive fields are disjoint share a backward pass.
    rows : rows of a work item, or None for as many as memory suggests.
    steps : of gradient descent on the lower slopes of ReLUs before the last pass (alpha-CROWN); 0 for none.
    lengths : cut all boxes to spheres, from what each layer stretches at most (see `xsparks.models.bounds.spheres`):
        for networks whose layers stretch little, such as 1-Lipschitz ones, whose bounds it makes tighter by far.

    Returns
    -------
    answer : of `Engine.run(bounds.plans(), inputs, targets, side=given)`: a dict of `"upper"` `(m, classes, count)`,
        the tightest of `"linear"` (not for `"ibp"`), `"interval"` and `"sphere"`; for outputs also `"lower"`. The row
        of class `c` itself is zero, but for the slack of rounding.

    Cost
    ----
    `"ibp"` two forwards a box, `"crown_ibp"` a backward pass a class; `"crown"` two backward passes for each unstable
    entry besides. `"own"` needs the bounds of all boxes before every activation in memory.

    Example
    -------
    >>> import keras, numpy as np
    >>> from xsparks.engine import Engine
    >>> from xsparks.models.access import ModelAccess
    >>> from xsparks.models.bounds import Around, read_network
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[1.0, 3.0], [1.0, 0.0]]), np.zeros(2)])
    >>> plans = VerifiedBounds(network=read_network(model), family=Around()).plans()
    >>> given = {"epsilon": np.full(1, 0.5, "float32")}
    >>> answer = Engine(ModelAccess(model), None).run(plans, np.ones((1, 2), "float32"), np.array([0]), given)
    >>> answer["upper"].numpy()[0, 1].round(3).tolist()
    [2.5]

    Source
    ------
    H. Zhang, T.-W. Weng, P.-Y. Chen, C.-J. Hsieh, L. Daniel, "Efficient Neural Network Robustness Certification with
    General Activation Functions", NeurIPS 2018, https://arxiv.org/abs/1811.00866; K. Xu et al., "Fast and Complete:
    Enabling Complete Verification with Rapid and Massively Parallel Incomplete Verifiers" (slopes), ICLR 2021,
    https://arxiv.org/abs/2011.13824
    """

    network: Network
    family: Family
    method: str = "crown"
    relaxation: str = "shared"
    rivals: int | None = None
    outputs: bool = False
    colour: bool = True
    rows: int | None = None
    steps: int = 0
    lengths: bool = False

    def __post_init__(self) -> None:
        where = type(self).__name__
        check_choice(where, "method", self.method, METHODS)
        check_choice(where, "relaxation", self.relaxation, RELAXATIONS)
        check_integer(where, "steps", self.steps, 0, "Use 0, or 20.")
        if self.rows is not None:
            check_integer(where, "rows", self.rows, 1, "Use None, or 32.")
        if self.rivals is not None:
            check_integer(where, "rivals", self.rivals, 1, "Use None for all classes, or 1 for a targeted one.")

    def plans(self, then: Callable[[dict[str, Any], Any], Any] | None = None) -> tuple[Plan | Loop, ...]:
        """The stages, to be run by an engine in turn; keep them, because each is compiled once.

        Parameters
        ----------
        then : `(answer, given) -> tree`: what the last stage hands over instead of the answer, for stages that follow.
        """
        stages: list[Plan | Loop] = []
        if self.method == "crown":
            stages += [tightening(self, anchor) for anchor in self._tightened]
        if self.steps and self.method != "ibp":
            stages.append(slopes_loop(self))
        last = margins_of_each(self) if self.relaxation == "own" else margins_of_one(self)
        if then is not None:
            last = replace(last, finish=lambda state, x, side: then(self.answer(state), _given(side)))
        return (*stages, last)

    @property
    def _tightened(self) -> list[int]:
        return [anchor for anchor in self.network.anchors if anchor not in self.network.exact]

    def chunk(self, number: int, last: int) -> int:
        """Rows of an item of a pass from a node with so many rows, which even items hold with the least to spare."""
        largest = max(node.size for node in self.network.nodes[: last + 1])
        wanted = self.rows or min(MOST_ROWS, max(1, NUMBERS_OF_AN_ITEM // (2 * largest)))
        return even_batches(number, wanted)[1]

    def boxes(self, region: Region, known: dict[str, Box], last: int | None = None) -> tuple[Any, Any]:
        """Boxes of all nodes, or those up to one, over a region, no wider than what is known `(n, *shape)`; and the
        spheres that they were cut to, none without `lengths`.
        """
        tighter = {int(key): box for key, box in known.items()}
        balls = spheres(self.network, region.box, region.around, last) if self.lengths else {}
        return self.network.intervals(region.box, region.around, tighter, last, balls), balls

    def first_boxes(self, x: Any, side: Known, last: int | None = None) -> tuple[Any, Any]:
        """The same over the first box of each sample."""
        known = {key: Box(*(each[:, 0] for each in box)) for key, box in side.boxes.items()}
        return self.boxes(self.family.first(x, side.given), known, last)

    def relaxed(self, boxes: dict[int, Box], side: Known, last: int | None = None) -> dict[str, tuple[Any, ...]]:
        """The relaxations on the first box up to a node, by the number as text: those known, and those not yet made."""
        made = self.network.relaxations(boxes, last, {int(key) for key in side.relaxations})
        return {**side.relaxations, **{str(number): each for number, each in made.items()}}

    def with_slopes(self, relaxations: dict[str, tuple[Any, ...]], slopes: dict[str, Any]) -> dict[int, Any]:
        """Relaxations by the number, with the lower slopes that were found."""
        found = {int(key): each for key, each in relaxations.items()}
        for key, each in slopes.items():
            rule: Any = self.network.nodes[int(key)].how
            found[int(key)] = rule.with_slopes(found[int(key)], each)
        return found

    def linear(
        self, weights: dict[int, Any], relaxations: Any, over: Any, pool: Pool = total, constant: Any = None
    ) -> Any:
        """An upper bound of `sum_i <weights[i], node i> + constant`; `over` bounds linear functions of the input."""
        before = tf.zeros([1, 1, 1]) if constant is None else constant
        arrived, constant = self.network.onwards(weights, before, relaxations, pool)
        constant = constant[..., None]
        return certain(over(arrived[0]) + constant, tf.abs(constant))

    def over(self, weights: Any, drawn: Any, count: int, pool: Pool = total) -> Any:
        """An upper bound of a linear function of the input `(b, s, p, count)`: over the first box, or over all."""
        if count == self.family.count:
            return self.family.highest(weights, drawn["x"], drawn["given"], pool)
        return highest(self.family.first(drawn["x"], drawn["given"]), weights, pool)[..., None]

    @property
    def classes(self) -> int:
        """Outputs of the network."""
        return self.network.nodes[self.network.output].shape[0]

    @property
    def specified(self) -> int:
        """Rows of the last pass."""
        return 2 * self.classes if self.outputs else self.rivals or self.classes

    def specification(self, place: Any, targets: Any, given: Any) -> Any:
        """The rows of these numbers `(b, s)`: `e_c' - e_c`, or plus and minus each output.

        Targets that are weights `w` over the classes have the rows `sum(w) e_c' - w`.
        """
        if self.outputs:
            sign: Any = tf.where(place < self.classes, 1.0, -1.0)
            return sign[..., None] * tf.one_hot(place % self.classes, self.classes)
        others = place if self.rivals is None else tf.gather(given["rivals"], place, batch_dims=1)
        if targets.dtype.is_floating:
            return tf.reduce_sum(targets, axis=1)[:, None, None] * tf.one_hot(others, self.classes) - targets[:, None]
        own = tf.one_hot(tf.cast(tf.reshape(targets, (-1,)), tf.int32), self.classes)
        return tf.one_hot(others, self.classes) - own[:, None]

    def interval(self, weights: Any, boxes: dict[int, Box], balls: dict[int, Box], region: Region) -> tuple[Any, Any]:
        """Upper bounds of `<weights, outputs>` `(b, s)` by intervals and by spheres, through the last linear steps."""
        arrived, constant = self.network.backward(self.network.output, weights, {}, stop=self.network.tail)
        found = [constant] * (2 if balls else 1)
        for number, each in arrived.items():
            own = region if number == 0 else Region(boxes[number])
            found[0] += highest(own, each)
            if balls:
                found[1] += highest(Region(own.box, balls[number]) if number in balls else own, each)
        upper = [certain(each, tf.abs(constant))[..., 0] for each in found]
        return upper[0], upper[-1]

    def answer(self, state: Any) -> dict[str, Any]:
        """What the last stage hands over."""
        linear, interval, sphere = state
        answer = {"interval": interval, "sphere": sphere}
        if self.method != "ibp":
            answer["linear"] = linear
        upper = tf.reduce_min(tf.stack(list(answer.values())), axis=0)
        if not self.outputs:
            return {"upper": upper, **answer}
        parts = {"upper": upper[:, : self.classes], "lower": -upper[:, self.classes :]}
        return {**parts, **answer}

    def nothing(self, x: Any, side: Any) -> Any:
        """Tables of no bound, `(m, rows, count)`."""
        none = tf.fill([tf.shape(x)[0], self.specified, self.family.count], UNBOUNDED)
        return none, none, none


def _given(side: Any) -> Any:
    """What the caller gave, from what the last stage made of it."""
    return side.given if isinstance(side, Known) else side["given"]
