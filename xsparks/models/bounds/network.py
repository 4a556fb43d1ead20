"""A network as a list of steps: boxes forwards, linear functions backwards, pure functions of tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf

from .boxes import Box, intersection
from .linear import Kernel
from .rule import Rule

Relaxations = Mapping[int, tuple[Any, ...]]
Boxes = Mapping[int, Box]
# (number of the node, `(n, s, *shape)`) -> `(n, s, p)`: the sum over all entries, or over parts of them.
Pool = Callable[[int, Any], Any]


def total(node: int, values: Any) -> Any:
    """The sum over all entries, as one part."""
    return tf.reduce_sum(tf.reshape(values, (-1, values.shape[1], 1, _size(values.shape[2:]))), -1)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for each in shape:
        size *= int(each)
    return size


def _within(box: Box, rule: Rule, sphere: Box | None, before: Box | None) -> Box:
    """A box cut to a sphere, and to what a kernel makes of the sphere before it."""
    if isinstance(rule, Kernel) and before is not None:
        box = intersection(box, rule.of_ball(before))
    return box if sphere is None else intersection(box, sphere)


@dataclass(frozen=True, eq=False)
class Node:
    """One step of a network.

    Parameters
    ----------
    path : of the layer or operation that it belongs to.
    rule : how bounds pass; None for the input.
    inputs : numbers of the nodes that it reads, all smaller than its own.
    shape : of its output, for one sample.
    """

    path: str
    rule: Rule | None
    inputs: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Entries of the output."""
        return _size(self.shape)

    @property
    def how(self) -> Rule:
        """The rule of a node that is not the input."""
        if self.rule is None:
            raise LookupError(self.path)
        return self.rule


@dataclass(frozen=True, eq=False)
class Network:
    """Which bounds can be had for this network, and how do they pass through it?

    Nodes are in topological order: the first is the input, the last the output. All methods are pure functions of
    tensors, to be compiled by whoever calls them; `xsparks.engine.bounds` makes plans of them.

    Parameters
    ----------
    nodes : the steps.

    Source
    ------
    H. Zhang, T.-W. Weng, P.-Y. Chen, C.-J. Hsieh, L. Daniel, "Efficient Neural Network Robustness Certification with
    General Activation Functions" (CROWN), NeurIPS 2018, https://arxiv.org/abs/1811.00866; H. Zhang et al., "Towards
    Stable and Efficient Training of Verifiably Robust Neural Networks" (CROWN-IBP), ICLR 2020,
    https://arxiv.org/abs/1906.06316; S. Gowal et al., "On the Effectiveness of Interval Bound Propagation", 2018,
    https://arxiv.org/abs/1810.12715
    """

    nodes: tuple[Node, ...]

    @property
    def output(self) -> int:
        """The number of the last node."""
        return len(self.nodes) - 1

    @cached_property
    def bends(self) -> tuple[int, ...]:
        """The nodes that are not linear."""
        return tuple(number for number, node in enumerate(self.nodes) if node.rule and not node.rule.linear)

    @cached_property
    def anchors(self) -> tuple[int, ...]:
        """The nodes whose bounds the relaxations rest on, in order.

        These are the inputs of what is not linear, or what stands before those where entries were only moved or scaled.
        """
        found = {self.anchor_of(source) for number in self.bends for source in self.nodes[number].inputs}
        return tuple(sorted(found))

    def anchor_of(self, number: int) -> int:
        """The first of a chain of linear steps by entry that ends here."""
        node = self.nodes[number]
        while node.rule is not None and node.rule.linear and node.rule.diagonal and len(node.inputs) == 1:
            number = node.inputs[0]
            node = self.nodes[number]
        return number

    @cached_property
    def plain(self) -> frozenset[int]:
        """The nodes whose entries are entries of the input, moved or scaled, none of them twice."""
        found = {0}
        for number, node in enumerate(self.nodes[1:], start=1):
            rule = node.how
            alone = len(node.inputs) == 1 and node.inputs[0] in found
            if alone and rule.linear and rule.diagonal and not rule.repeats:
                found.add(number)
        return frozenset(found)

    @cached_property
    def exact(self) -> frozenset[int]:
        """The nodes whose intervals are exact: at most one step that mixes entries lies before them."""
        found = set(self.plain)
        for number, node in enumerate(self.nodes[1:], start=1):
            if len(node.inputs) == 1 and node.how.linear:
                (source,) = node.inputs
                if source in self.plain or (node.how.diagonal and source in found):
                    found.add(number)
        return frozenset(found)

    @cached_property
    def tail(self) -> tuple[int, ...]:
        """The nodes that are read by the last linear steps: the last that are not linear, or the input."""
        return self.before(self.output)

    def before(self, number: int) -> tuple[int, ...]:
        """The nodes that are read by the linear steps that end at a node."""
        found, pending, seen = set(), [number], set()
        while pending:
            number = pending.pop()
            node = self.nodes[number]
            if number in seen:
                continue
            seen.add(number)
            if node.rule is None or not node.rule.linear:
                found.add(number)
            else:
                pending.extend(node.inputs)
        return tuple(sorted(found))

    def last_use(self, anchor: int) -> int:
        """The last node whose box says whether an entry of the anchor is unstable."""
        behind, last = {anchor}, anchor
        for number, node in enumerate(self.nodes):
            if node.rule is None or not behind.intersection(node.inputs):
                continue
            if not node.rule.linear:
                last = max(last, *node.inputs)
            elif node.rule.diagonal and len(node.inputs) == 1:
                behind.add(number)
        return last

    def intervals(
        self,
        box: Box,
        ball: Box | None = None,
        known: Boxes | None = None,
        last: int | None = None,
        spheres: Boxes | None = None,
    ) -> dict[int, Box]:
        """A box for every node, by interval arithmetic, up to node `last`.

        Parameters
        ----------
        box : of the input, `(n, *shape)`.
        ball : `{c + s z: |z|_2 <= 1}`, centre `c` and radius `s`, where inputs lie in it, too.
        known : tighter boxes of some nodes, which are intersected with as they are reached.
        spheres : of some nodes, which hold their answers, too.
        """
        known, spheres = known or {}, spheres or {}
        boxes = {0: box if 0 not in known else intersection(box, known[0])}
        balls = {} if ball is None else {0: ball}
        for number, node in enumerate(self.nodes[: None if last is None else last + 1]):
            if number == 0:
                continue
            rule = node.how
            found = rule.interval([boxes[source] for source in node.inputs])
            if node.inputs[0] in balls and number in self.exact:
                before = balls[node.inputs[0]]
                if number in self.plain:
                    balls[number] = rule.interval([before])
                elif isinstance(rule, Kernel):
                    found = intersection(found, rule.of_ball(before))
            if number not in self.exact:
                found = _within(found, rule, spheres.get(number), spheres.get(node.inputs[0]))
            boxes[number] = intersection(found, known[number]) if number in known else found
        return boxes

    def relaxations(
        self, boxes: Boxes, last: int | None = None, known: Collection[int] = ()
    ) -> dict[int, tuple[Any, ...]]:
        """The relaxation of each node that is not linear, up to node `last`, where it is not known, from boxes."""
        last = self.output if last is None else last
        return {
            number: self.nodes[number].how.relax([boxes[source] for source in self.nodes[number].inputs])
            for number in self.bends
            if number <= last and number not in known
        }

    def backward(
        self,
        start: int,
        weights: Any,
        relaxations: Relaxations,
        pool: Pool = total,
        stop: Collection[int] = (0,),
    ) -> tuple[dict[int, Any], Any]:
        """A linear function above `<weights, node start>`: its weights at the nodes where it stops, and its constant.

        Parameters
        ----------
        weights : `(n, s, *shape)`.
        relaxations : of the nodes between, `(n, ...)`.
        pool : how constants are summed; see `colouring`.
        stop : the nodes that are not passed; the input always is one.

        Returns
        -------
        weights, constant : `(n, s, *shape)` by the number of the node, and `(n, s, p)`.
        """
        return self.onwards({start: weights}, tf.zeros_like(pool(start, weights)), relaxations, pool, stop)

    def onwards(
        self,
        weights: Mapping[int, Any],
        constant: Any,
        relaxations: Relaxations,
        pool: Pool = total,
        stop: Collection[int] = (0,),
    ) -> tuple[dict[int, Any], Any]:
        """The same from several nodes at once: of `sum_i <weights[i], node i> + constant`, `(n, s, p)`."""
        pending, arrived = dict(weights), {}
        for number in range(max(pending), -1, -1):
            if number not in pending:
                continue
            own, node = pending.pop(number), self.nodes[number]
            if number in stop or node.rule is None:
                arrived[number] = own
                continue
            shapes = [self.nodes[source].shape for source in node.inputs]
            parts, added = node.rule.backward(relaxations.get(number, ()), own, shapes)
            if added is not None:
                constant += pool(number, added)
            for source, part in zip(node.inputs, parts, strict=True):
                pending[source] = pending[source] + part if source in pending else part
        return arrived, constant

    def unstable(self, anchor: int, boxes: Boxes) -> Any:
        """Which entries of a node a tighter bound would help, `(n, *shape)` of 0 and 1."""
        marks = tf.zeros_like(boxes[anchor].radius)
        for number, node in enumerate(self.nodes):
            if anchor not in node.inputs or node.rule is None:
                continue
            if not node.rule.linear:
                found = node.rule.unstable([boxes[source] for source in node.inputs])
            elif node.rule.diagonal and len(node.inputs) == 1:
                shapes = [self.nodes[source].shape for source in node.inputs]
                found = node.rule.reach(self.unstable(number, boxes), shapes)
            else:
                continue
            for source, mask in zip(node.inputs, found, strict=True):
                if source == anchor:
                    marks = tf.maximum(marks, tf.cast(mask, marks.dtype))
        return marks
