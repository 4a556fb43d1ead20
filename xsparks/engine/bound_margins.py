"""The last stage of verified bounds: those of the margins, or of the outputs themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ..models.bounds import highest
from .bound_stages import opened
from .plan import Items, Plan

if TYPE_CHECKING:
    from .verified_bounds import VerifiedBounds


def margins_of_one(bounds: VerifiedBounds) -> Plan:
    """The last stage: one relaxation a sample, evaluated on every box. Its items are chunks of rows."""
    size = bounds.chunk(bounds.specified, bounds.network.output)

    def prepare(x: Any, side: Any) -> Any:
        side = opened(side)
        (boxes, balls), tail = bounds.first_boxes(x, side), bounds.network.tail
        return {
            "given": side.given,
            "slopes": side.slopes,
            "relaxations": {} if bounds.method == "ibp" else bounds.relaxed(boxes, side),
            "tail": {str(number): boxes[number] for number in tail},
            "balls": {str(number): balls[number] for number in tail if number in balls},
        }

    def draw(x: Any, own: Any, index: Any) -> Any:
        side, sample = own
        place = tf.clip_by_value(index[:, None] * size + tf.range(size), 0, bounds.specified - 1)
        return {**tf.nest.map_structure(lambda leaf: tf.gather(leaf, sample), side), "x": x, "place": place}, place

    def query(bound: Any, operator: Any, drawn: Any, targets: Any) -> Any:
        weights = bounds.specification(drawn["place"], targets, drawn["given"])
        boxes, balls = ({int(key): box for key, box in drawn[name].items()} for name in ("tail", "balls"))
        found = bounds.interval(weights, boxes, balls, bounds.family.first(drawn["x"], drawn["given"]))
        interval, sphere = (tf.repeat(each[..., None], bounds.family.count, axis=-1) for each in found)
        if bounds.method == "ibp":
            return interval, interval, sphere
        relaxations = bounds.with_slopes(drawn["relaxations"], drawn["slopes"])
        over = bounds.linear(
            {bounds.network.output: weights}, relaxations, lambda w: bounds.over(w, drawn, bounds.family.count)
        )
        return over[:, :, 0], interval, sphere

    def fold(state: Any, items: Items, place: Any, values: Any) -> Any:
        where = tf.stack([tf.broadcast_to(items.sample[:, None], tf.shape(place)), place], axis=-1)
        return tuple(tf.tensor_scatter_nd_min(each, where, value) for each, value in zip(state, values, strict=True))

    return Plan(
        count=-(-bounds.specified // size),
        query=query,
        draw=draw,
        start=bounds.nothing,
        fold=fold,
        finish=lambda state, x, side: bounds.answer(state),
        prepare=prepare,
        whole_side=True,
        backward=True,
    )


def margins_of_each(bounds: VerifiedBounds) -> Plan:
    """The last stage: a relaxation for every box. Its items are chunks of rows of one box."""
    size, boxes_of_a_sample = bounds.chunk(bounds.specified, bounds.network.output), bounds.family.count

    def draw(x: Any, own: Any, index: Any) -> Any:
        side, sample = own
        box, chunk = index % boxes_of_a_sample, index // boxes_of_a_sample
        place = tf.clip_by_value(chunk[:, None] * size + tf.range(size), 0, bounds.specified - 1)
        both = tf.stack([sample, box], axis=-1)
        known = tf.nest.map_structure(lambda leaf: tf.gather_nd(leaf, both), side.boxes)
        rest = tf.nest.map_structure(lambda leaf: tf.gather(leaf, sample), (side.given, side.slopes))
        return {"x": x, "box": box, "known": known, "given": rest[0], "slopes": rest[1], "place": place}, (box, place)

    def query(bound: Any, operator: Any, drawn: Any, targets: Any) -> Any:
        weights = bounds.specification(drawn["place"], targets, drawn["given"])
        region = bounds.family.region(drawn["x"], drawn["given"], drawn["box"])
        boxes, balls = bounds.boxes(region, drawn["known"])
        interval, sphere = bounds.interval(weights, boxes, balls, region)
        if bounds.method == "ibp":
            return interval, interval, sphere
        made = {str(number): each for number, each in bounds.network.relaxations(boxes).items()}
        relaxations = bounds.with_slopes(made, drawn["slopes"])
        last = {bounds.network.output: weights}
        over = bounds.linear(last, relaxations, lambda w: highest(region, w)[..., None])
        return over[:, :, 0, 0], interval, sphere

    def fold(state: Any, items: Items, extra: Any, values: Any) -> Any:
        box, place = extra
        parts = (tf.broadcast_to(each[:, None], tf.shape(place)) for each in (items.sample, box))
        sample, number = parts
        where = tf.stack([sample, place, number], axis=-1)
        return tuple(tf.tensor_scatter_nd_min(each, where, value) for each, value in zip(state, values, strict=True))

    return Plan(
        count=boxes_of_a_sample * -(-bounds.specified // size),
        query=query,
        draw=draw,
        start=bounds.nothing,
        fold=fold,
        finish=lambda state, x, side: bounds.answer(state),
        prepare=lambda x, side: opened(side),
        whole_side=True,
        backward=True,
    )
