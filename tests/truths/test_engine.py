"""Laws of the engine: batches, drivers, rounds, loops, exhaustion, taps and splits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from xsparks.core.errors import ModelError
from xsparks.engine import Engine, Loop, Plan, Repeated, queries, reducers
from xsparks.engine.schedule import batches, even_batches, work_items
from xsparks.models.access import ModelAccess, Notice
from xsparks.models.operators import classification

FACTORS = np.linspace(0.1, 1.0, 7, dtype=np.float32)


def dimmed(count: int = 7, **changes) -> Plan:
    """The score of an image at several brightnesses."""
    parts = {
        "count": count,
        "query": queries.score,
        "draw": lambda x, side, index: (x * tf.gather(FACTORS, index % 7)[:, None, None, None], ()),
        "start": reducers.table(count),
        "fold": reducers.collect,
        "finish": reducers.as_is,
    }
    return Plan(**{**parts, **changes})


def engine_on(model, batch_size="auto", operator=classification, **options) -> Engine:
    access = ModelAccess(model)
    access.ensure_ready(models.images(1))
    return Engine(access, operator, batch_size, **options)


def expected(model, x, targets) -> np.ndarray:
    rows = [
        model(image[None] * FACTORS[:, None, None, None]).numpy()[:, target]
        for image, target in zip(x, targets, strict=True)
    ]
    return np.stack(rows)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 7, 16, 100])
def test_every_batch_size_gives_the_same_table(batch_size):
    model, x, targets = models.convolutional(), models.images(5), np.array([0, 1, 2, 3, 0], np.int32)
    table = engine_on(model, batch_size).run(dimmed(), x, targets)
    np.testing.assert_allclose(table, expected(model, x, targets), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("items, batch_size", [(1, 32), (32, 32), (33, 32), (400, 32), (7, 3)])
def test_batches_are_even_and_padding_is_less_than_one_item_a_batch(items, batch_size):
    number, size = even_batches(items, batch_size)
    assert size <= batch_size and number == -(-items // batch_size)
    assert 0 <= number * size - items < number
    sample, index = work_items(np.array([items]), 0)
    filled = list(batches(sample, index, batch_size, fill=True))
    assert {len(part[0]) for part in filled} == {size}
    assert sum(part[2].sum() for part in filled) == items


def test_the_graph_driver_gives_what_the_host_driver_gives():
    model, x, targets = models.convolutional(), models.images(5), np.array([0, 1, 2, 3, 0], np.int32)
    engine = engine_on(model, 4)
    in_graph = tf.function(lambda a, b: engine.run(dimmed(), a, b))
    np.testing.assert_allclose(in_graph(x, targets), engine.run(dimmed(), x, targets), atol=1e-5)


def test_passes_within_a_query_are_counted_and_shown():
    seen = []
    plan = dimmed(passes=3)
    engine_on(models.convolutional(), 4).run(plan, models.images(2), np.zeros(2, np.int32), progress=seen.append)
    assert plan.variants == 3 * dimmed().variants == 21 and sum(seen) == 2 * 21


@pytest.mark.parametrize("driver", ["host", "graph"])
def test_a_count_that_depends_on_the_sample(driver):
    counts = tf.constant([1, 3, 7])
    plan = dimmed(
        count=lambda x, side: counts,
        start=lambda x, side: tf.zeros_like(x[:, 0, 0, 0]),
        fold=reducers.total,
    )
    model, x, targets = models.convolutional(), models.images(3), np.array([0, 1, 2], np.int32)
    engine = engine_on(model, 4)
    run = tf.function(lambda a, b: engine.run(plan, a, b)) if driver == "graph" else lambda a, b: engine.run(plan, a, b)
    table = expected(model, x, targets)
    wanted = [table[row, :count].sum() for row, count in enumerate(counts.numpy())]
    np.testing.assert_allclose(run(x, targets), wanted, rtol=1e-4, atol=1e-5)


def test_finished_samples_leave_between_rounds():
    seen = []
    plan = dimmed(
        count=2,
        rounds=3,
        start=lambda x, side: {"sum": tf.zeros_like(x[:, 0, 0, 0]), "forwards": tf.zeros_like(x[:, 0, 0, 0])},
        fold=lambda state, items, extra, values: {
            "sum": items.add(state["sum"], values),
            "forwards": items.add(state["forwards"], tf.ones_like(values)),
        },
        done=lambda state, side, finished: tf.cast(side, tf.int32) <= finished,
    )
    rounds = np.array([3.0, 1.0, 2.0, 1.0], np.float32)
    model, x, targets = models.convolutional(), models.images(4), np.array([0, 1, 2, 3], np.int32)
    answer = engine_on(model, 3).run(plan, x, targets, side=rounds, progress=seen.append)
    np.testing.assert_array_equal(answer["forwards"], 2 * rounds)
    table = expected(model, x, targets)
    np.testing.assert_allclose(
        answer["sum"], [table[i, : int(2 * r)].sum() for i, r in enumerate(rounds)], rtol=1e-4, atol=1e-5
    )
    assert sum(seen) == 2 * rounds.sum()


def test_a_later_plan_gets_the_answer_of_the_one_before_as_side():
    model, x, targets = models.convolutional(), models.images(3), np.array([0, 1, 2], np.int32)
    second = dimmed(finish=lambda state, inputs, side: state - side)
    answer = engine_on(model).run((dimmed(), second), x, targets)
    np.testing.assert_allclose(answer, 0, atol=1e-6)


@pytest.mark.parametrize("driver", ["host", "graph"])
def test_a_loop_bisects_until_each_sample_is_done(driver):
    """The factor at which the score of an image crosses a level, against the closed form of a linear model."""
    weights = np.random.default_rng(0).random(models.SHAPE[:2])
    model, x = models.additive(weights), models.images(6)
    level = 0.3 * (x[..., 0] * weights).sum((1, 2))

    def step(bound, operator, carry, targets, index):
        low, high, images, wanted = carry
        middle = (low + high) / 2
        above = operator(bound.forward, images * middle[:, None, None, None], targets) > wanted
        return tf.where(above, low, middle), tf.where(above, middle, high), images, wanted

    loop = Loop(
        steps=40,
        start=lambda images, side: (tf.zeros_like(side), tf.ones_like(side), images, side),
        step=step,
        done=lambda carry: carry[1] - carry[0] < 1e-4,
        finish=lambda carry, images, side: (carry[0] + carry[1]) / 2,
    )
    engine = engine_on(model, 4)
    targets, level = np.zeros(6, np.int32), level.astype(np.float32)
    run = tf.function(lambda *a: engine.run(loop, *a)) if driver == "graph" else lambda *a: engine.run(loop, *a)
    np.testing.assert_allclose(run(x, targets, level), 0.3, atol=1e-4)


def exhausting(limit: int):
    """An operator that runs out of memory above a batch size: TensorFlow turns a MemoryError of the host into it."""

    def operator(forward, inputs, targets):
        scores = classification(forward, inputs, targets)

        def refuse(count, values):
            if count > limit:
                raise MemoryError
            return values

        return tf.ensure_shape(tf.numpy_function(refuse, [tf.shape(inputs)[0], scores], tf.float32), [None])

    return operator


class _Exhausted:
    """A step that refuses large batches, as a device does."""

    def __init__(self, step, limit):
        self.step, self.limit, self.sizes = step, limit, []

    def __call__(self, state, inputs, targets, side, sample, index, weight):
        self.sizes.append(len(sample))
        if len(sample) > self.limit:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return self.step(state, inputs, targets, side, sample, index, weight)


def limited(engine: Engine, plan: Plan, x, targets, limit: int) -> _Exhausted:
    inputs, targets, side = (tf.nest.map_structure(tf.convert_to_tensor, tree) for tree in (x, targets, ()))
    steps = engine._steps(plan, inputs, targets, side)
    steps["step"] = _Exhausted(steps["step"], limit)
    return steps["step"]


def test_auto_batch_size_halves_when_memory_runs_out_and_loses_nothing():
    model, x, targets = models.convolutional(), models.images(5), np.array([0, 1, 2, 3, 0], np.int32)
    engine, plan = engine_on(model), dimmed()
    step = limited(engine, plan, x, targets, limit=5)
    np.testing.assert_allclose(engine.run(plan, x, targets), expected(model, x, targets), rtol=1e-4, atol=1e-5)
    assert engine.batch_size == 4 and max(step.sizes) > 5 and step.sizes[-1] <= 4


def test_an_operator_that_exhausts_memory_above_a_size():
    model, x, targets = models.convolutional(), models.images(5), np.array([0, 1, 2, 3, 0], np.int32)
    engine = engine_on(model, operator=exhausting(6))
    np.testing.assert_allclose(engine.run(dimmed(), x, targets), expected(model, x, targets), rtol=1e-4, atol=1e-5)
    assert engine.batch_size == 4


def test_a_fixed_batch_size_that_is_too_large_says_so():
    model, x, targets = models.convolutional(), models.images(5), np.array([0, 1, 2, 3, 0], np.int32)
    engine, plan = engine_on(model, 16), dimmed()
    limited(engine, plan, x, targets, limit=5)
    with pytest.raises(ModelError, match=r"batch_size=16.*must fit into the memory.*batch_size='auto'"):
        engine.run(plan, x, targets)


def test_xla_gives_the_same_table():
    model, x, targets = models.convolutional(), models.images(3), np.array([0, 1, 2], np.int32)
    plain, xla = (engine_on(model, 4, jit_compile=jit).run(dimmed(), x, targets) for jit in (False, True))
    np.testing.assert_allclose(plain, xla, atol=1e-4)


@pytest.mark.parametrize(
    "model, layer",
    [
        (models.convolutional(), "second"),
        (models.nested(), "second"),
        (models.nested(), "functional.second"),
        (models.Subclassed(), "second"),
        (models.sequential_unbuilt(), 0),
        (models.mixed_precision(), "second"),
    ],
    ids=["functional", "nested", "path", "subclassed", "sequential", "mixed"],
)
def test_split_is_exact_in_every_kind_of_model(model, layer):
    if layer == "functional.second":
        layer = next(path for path in _paths(model) if path.endswith(".second"))
    access, x = ModelAccess(model), tf.constant(models.images(3))
    access.ensure_ready(models.images(3))
    before, after = access.split(layer)
    activations, outputs = access.tap(layer)(x)
    np.testing.assert_array_equal(before(x), activations)
    np.testing.assert_allclose(
        after(before(x)), outputs, rtol=1e-3 if "mixed" in str(model.dtype_policy) else 1e-5, atol=1e-5
    )
    assert not hasattr(layer, "__wrapped__") and np.ptp(np.asarray(outputs)) > 0


def _paths(model):
    from xsparks.models.layers import layers_of

    return [path for path, _ in layers_of(model)]


def test_a_layer_with_a_path_around_it_is_no_cut():
    inputs = keras.Input(models.SHAPE)
    x = keras.layers.Conv2D(3, 3, padding="same", name="inside")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x + inputs)))
    _, after = ModelAccess(model).split("inside")
    with pytest.raises(ModelError, match="every path from the inputs to the outputs must pass through the layer"):
        after(tf.zeros((2, *models.SHAPE)))


def test_a_tap_is_gone_after_an_error():
    model = models.convolutional()
    access = ModelAccess(model)
    with pytest.raises(Exception, match="incompatible"):
        access.tap("second")(tf.zeros((1, 5, 5, 7)))
    assert "call" not in vars(model.get_layer("second"))


def test_the_second_call_of_a_shared_layer():
    shared = keras.layers.Dense(2, kernel_initializer="ones", use_bias=False, name="shared")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, shared(shared(inputs)))
    access, x = ModelAccess(model), tf.constant([[1.0, 2.0]])
    np.testing.assert_array_equal(access.tap("shared")(x)[0], [[3.0, 3.0]])
    np.testing.assert_array_equal(access.tap("shared:1")(x)[0], [[6.0, 6.0]])


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_final_activation_is_bypassed_and_said_once(activation):
    plain, x = models.convolutional(), tf.constant(models.images(3))
    model = models.convolutional(activation=activation)
    access = ModelAccess(model)
    with pytest.warns(Notice, match=f"the final {activation} .* is bypassed"):
        logits = access.forward(x)
    np.testing.assert_allclose(logits, plain(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(access.probabilities(x), model(x), rtol=1e-5, atol=1e-6)
    assert model.get_layer("head").activation is getattr(keras.activations, activation)


@pytest.mark.parametrize("kind", ["layer", "softmax layer", "operation", "nested", "subclassed"])
def test_a_final_softmax_is_found_wherever_it_stands(kind):
    x = tf.constant(models.images(3))
    if kind == "nested":
        model = models.nested()
        logits = model.layers[-2](x * 2.0)
    elif kind == "subclassed":
        model = models.Subclassed()
        model(x)
        logits = tf.matmul(model.backbone(x) ** 2, model.last.kernel)
    else:
        inputs = keras.Input(models.SHAPE)
        inner = models.convolutional()
        last = {
            "layer": keras.layers.Activation("softmax"),
            "softmax layer": keras.layers.Softmax(),
            "operation": keras.ops.softmax,
        }[kind]
        model, logits = keras.Model(inputs, last(inner(inputs))), inner(x)
    with pytest.warns(Notice, match="the final softmax"):
        np.testing.assert_allclose(ModelAccess(model).forward(x), logits, rtol=1e-5, atol=1e-5)


def test_one_sigmoid_unit_has_two_classes():
    model, x = models.binary(), tf.constant(models.images(4))
    access = ModelAccess(model)
    with pytest.warns(Notice):
        logits = access.forward(x).numpy()
    p = model(x).numpy()[:, 0]
    np.testing.assert_allclose(logits, np.stack([-np.log(p / (1 - p)), np.log(p / (1 - p))], 1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(access.probabilities(x), np.stack([1 - p, p], 1), rtol=1e-4, atol=1e-5)


def test_output_layer_takes_the_place_of_the_output():
    model, x = models.convolutional(activation="softmax"), tf.constant(models.images(2))
    np.testing.assert_allclose(ModelAccess(model, output_layer="head").forward(x), model(x), rtol=1e-5)
    assert ModelAccess(model, output_layer="first").forward(x).shape == (2, 8, 12, 6)


def test_repeated_stages_run_on_what_they_handed_over_on_the_host_and_in_a_graph():
    model, x, targets = models.convolutional(), models.images(5), np.array([0, 1, 2, 3, 0], np.int32)
    first = dimmed(1, finish=lambda state, x, side: {"sum": state[:, 0], "rounds": tf.zeros_like(state[:, 0])})
    # Each round adds the score of the image times the number of the round.
    again = dimmed(
        1,
        draw=lambda x, side, index: (x * side["rounds"][:, None, None, None], ()),
        finish=lambda state, x, side: {"sum": side["sum"] + state[:, 0], "rounds": side["rounds"] + 1},
    )
    stages = (first, Repeated((again,), 3))
    scores = [model(x * factor).numpy()[np.arange(5), targets] for factor in (0.1, 0.0, 1.0, 2.0)]
    for batch_size in (2, 32):
        engine = engine_on(model, batch_size)
        host = engine.run(stages, x, targets)
        graph = tf.function(lambda inputs, run=engine.run: run(stages, inputs, tf.constant(targets)))(tf.constant(x))
        for found in (host, graph):
            np.testing.assert_allclose(found["sum"], np.sum(scores, axis=0), rtol=1e-4)
            np.testing.assert_array_equal(found["rounds"], np.full(5, 3))
    assert stages[1].variants == 3 and not stages[1].backward
