"""The stage of verified bounds that tightens one node by backward passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ..models.bounds import between, rows_of
from .bound_stages import UNBOUNDED, Known, opened
from .plan import Items, Plan

if TYPE_CHECKING:
    from .verified_bounds import VerifiedBounds


def tightening(bounds: VerifiedBounds, anchor: int) -> Plan:
    """The stage that bounds the entries of one node that are unstable, from above and from below."""
    rows = rows_of(bounds.network, anchor, bounds.colour)
    node, size = bounds.network.nodes[anchor], bounds.chunk(rows.count, anchor)
    boxes_of_a_sample = bounds.family.count if bounds.relaxation == "own" else 1

    def prepare(x: Any, side: Any) -> Any:
        side = opened(side)
        boxes, _ = bounds.first_boxes(x, side, bounds.network.last_use(anchor))
        marks = bounds.network.unstable(anchor, boxes)
        needed = rows.needed(marks)
        return {
            "known": side._replace(relaxations=bounds.relaxed(boxes, side, anchor)),
            "marks": marks,
            "order": tf.argsort(tf.cast(needed, tf.int32), axis=-1, direction="DESCENDING", stable=True),
            "number": tf.reduce_sum(tf.cast(needed, tf.int32), axis=-1),
        }

    def draw(x: Any, own: Any, index: Any) -> Any:
        side, sample = own
        place = index[:, None] * size + tf.range(size)
        exists = place < tf.gather(side["number"], sample)[:, None]
        order = tf.gather(side["order"], sample)
        ids = tf.gather(order, tf.clip_by_value(place, 0, rows.count - 1), batch_dims=1)
        known = side["known"]
        drawn = tf.nest.map_structure(lambda leaf: tf.gather(leaf, sample), (known.relaxations, known.given))
        places, present = rows.places(ids)
        marks = tf.gather(tf.reshape(side["marks"], (-1, node.size)), sample)
        marked = tf.gather(marks, places, batch_dims=1) > 0
        # Of an entry that is not marked its row says nothing.
        places = tf.where(present & marked & exists[..., None], places, node.size)
        return {"relaxations": drawn[0], "given": drawn[1], "x": x, "ids": ids}, places

    def query(bound: Any, operator: Any, drawn: Any, targets: Any) -> Any:
        ids = drawn["ids"]
        weights, constant = through_linear(ids)
        pool = rows.pool(ids)
        found = bounds.linear(
            weights,
            bounds.with_slopes(drawn["relaxations"], {}),
            lambda weights: bounds.over(weights, drawn, boxes_of_a_sample, pool),
            pool,
            constant,
        )
        return found[:, :size], -found[:, size:]

    def through_linear(ids: Any) -> Any:
        """The rows of these numbers and their negatives, behind the steps before the node that are linear.

        There a row is the same for every sample and sign, so each passes once.
        """
        each, number = tf.unique(tf.reshape(ids, (-1,)))
        each = each[:, None]
        weights, constant = bounds.network.backward(
            anchor, rows.weights(each), {}, rows.pool(each), stop=bounds.network.before(anchor)
        )

        def of_items(values: Any) -> Any:
            found = tf.gather(values[:, 0], tf.reshape(number, (-1, size)))
            return tf.concat([found, -found], axis=1)

        return {source: of_items(each) for source, each in weights.items()}, of_items(constant)

    def start(x: Any, side: Any) -> Any:
        # One entry more than there are: where rows end that only fill an item.
        none = tf.fill([tf.shape(x)[0], node.size + 1, boxes_of_a_sample], UNBOUNDED)
        return none, -none

    def fold(state: Any, items: Items, places: Any, values: Any) -> Any:
        sample = tf.broadcast_to(items.sample[:, None, None], tf.shape(places))
        where = tf.stack([sample, places], axis=-1)
        return (
            tf.tensor_scatter_nd_min(state[0], where, values[0]),
            tf.tensor_scatter_nd_max(state[1], where, values[1]),
        )

    def finish(state: Any, x: Any, side: Any) -> Known:
        ends = (tf.transpose(each[:, :-1], (0, 2, 1)) for each in (state[1], state[0]))
        found = between(*(tf.reshape(each, (-1, boxes_of_a_sample, *node.shape)) for each in ends))
        known = side["known"]
        return known._replace(boxes={**known.boxes, str(anchor): found})

    return Plan(
        count=lambda x, side: -(-side["number"] // size),
        query=query,
        draw=draw,
        start=start,
        fold=fold,
        finish=finish,
        prepare=prepare,
        whole_side=True,
        backward=True,
        most=-(-rows.count // size),
    )
