"""Laws that every explainer obeys, or declares that it cannot."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.contracts.cases import LAWS, REFUSALS, explainer_cases, law, needs_gradients, refuses
from xsparks.core.errors import ModelError
from xsparks.engine import Explanation
from xsparks.models.access import Notice

CASES = explainer_cases()
every_explainer = pytest.mark.parametrize("cls, options", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
# Laws that the engine keeps for a class, whichever of its plans runs.
PLAIN = [case for case in CASES if "[" not in case[0]]
every_class = pytest.mark.parametrize("cls, options", [case[1:] for case in PLAIN], ids=[case[0] for case in PLAIN])
X = models.images(5)
TARGETS = np.array([0, 1, 2, 3, 1])

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")


@pytest.fixture(scope="module")
def model():
    return models.convolutional()


@pytest.fixture(scope="module")
def made(model):
    """The explainer of a case on the shared model, made once: most of the time of these tests is that of tracing."""
    return _of_each_case(lambda cls, options: cls(model, **options))


@pytest.fixture(scope="module")
def known(made):
    """The maps of `X` by the explainer of a case."""
    return _of_each_case(lambda cls, options: made(cls, options).explain(X, TARGETS))


def _of_each_case(make):
    kept = {}

    def found(cls, options):
        number = next(number for number, case in enumerate(CASES) if case[1] is cls and case[2] is options)
        if number not in kept:
            kept[number] = make(cls, options)
        return kept[number]

    return found


@every_explainer
def test_shape_finite_and_inputs_untouched(cls, options, model, made):
    before = X.copy()
    maps = made(cls, options).explain(X, TARGETS)
    assert isinstance(maps, Explanation)
    assert maps.shape == (5, 8, 12, 1) and np.asarray(maps).shape == (5, 8, 12, 1)
    assert np.asarray(maps).dtype == np.float32 and np.isfinite(maps).all()
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(maps.targets, TARGETS)
    np.testing.assert_allclose(maps.scores, model(X).numpy()[np.arange(5), TARGETS], rtol=1e-4)
    assert maps.estimand and maps.method == cls.__name__ and maps.settings["seed"] == 0


@every_explainer
def test_the_map_depends_on_the_image_and_the_target(cls, options, made, known):
    maps = known(cls, options).values
    other = made(cls, options).explain(X, (TARGETS + 1) % 4).values
    assert np.ptp(maps[0]) > 0
    with law(cls, "image"):
        assert not np.allclose(maps[0], maps[1])
    with law(cls, "target"):
        assert not np.allclose(maps, other)


@every_explainer
def test_results_do_not_depend_on_the_batch_size(cls, options, model, made, known):
    assert made(cls, options).batch_size not in (1, 3)
    for size in (1, 3):
        maps = cls(model, batch_size=size, **options).explain(X, TARGETS).values
        np.testing.assert_allclose(maps, known(cls, options).values, rtol=1e-3, atol=1e-4)


@every_explainer
def test_a_map_depends_on_its_image_alone(cls, options, made, known):
    explainer, together = made(cls, options), known(cls, options).values
    alone = np.concatenate([explainer.explain(X[i : i + 1], TARGETS[i : i + 1]).values for i in (4, 2, 0)])
    np.testing.assert_allclose(together[[4, 2, 0]], alone, rtol=1e-3, atol=1e-4)


@every_class
def test_every_kind_of_data_gives_the_same_maps(cls, options, made, known):
    explainer, wanted = made(cls, options), known(cls, options).values
    pairs = tf.data.Dataset.from_tensor_slices((X, TARGETS))
    kinds = {
        "tensor": (tf.constant(X), tf.constant(TARGETS)),
        "list": (list(X), list(TARGETS)),
        "batched": (pairs.batch(2), None),
        "prefetched": (pairs.batch(2).map(lambda x, y: (x, y)).prefetch(1), None),
        "unbatched": (pairs, None),
        "inputs only": (tf.data.Dataset.from_tensor_slices(X).batch(3), TARGETS),
    }
    for kind, (inputs, targets) in kinds.items():
        np.testing.assert_allclose(
            explainer.explain(inputs, targets).values, wanted, rtol=1e-3, atol=1e-4, err_msg=kind
        )


@every_class
def test_a_shuffled_dataset_is_read_once(cls, options, made, known):
    explainer, wanted = made(cls, options), known(cls, options)
    shuffled = tf.data.Dataset.from_tensor_slices((X, TARGETS)).shuffle(5).batch(2).prefetch(1)
    maps = explainer.explain(shuffled)
    order = [list(wanted.digests).index(mark) for mark in maps.digests]
    np.testing.assert_array_equal(maps.targets, TARGETS[order])
    np.testing.assert_allclose(maps.values, wanted.values[order], rtol=1e-3, atol=1e-4)


@every_explainer
def test_the_same_seed_gives_the_same_map_and_no_global_seed_is_touched(cls, options, model, known):
    explainer = cls(model, **options)
    np.random.seed(3)
    tf.random.set_seed(3)
    expected_numpy, expected_tensor = np.random.random(), float(tf.random.uniform(()))
    np.random.seed(3)
    tf.random.set_seed(3)
    first = explainer.explain(X, TARGETS).values
    assert np.random.random() == expected_numpy and float(tf.random.uniform(())) == expected_tensor
    np.testing.assert_array_equal(first, explainer.explain(X, TARGETS).values)
    np.testing.assert_array_equal(first, known(cls, options).values)


@every_explainer
def test_nothing_is_traced_in_the_second_call(cls, options):
    model, layer = models.recorded()
    explainer = cls(model, **options)
    explainer.explain(X, TARGETS)
    traced = layer.calls
    explainer.explain(models.images(11, seed=4), np.arange(11) % 4)
    explainer.explain(X[:1], TARGETS[:1])
    assert traced > 0 and layer.calls == traced


@every_class
def test_output_layer_changes_the_number(cls, options, known):
    model = models.convolutional(activation="softmax")
    bypassed = cls(model, **options).explain(X, TARGETS).values
    kept = cls(model, output_layer="head", **options).explain(X, TARGETS).values
    with law(cls, "target"):
        assert not np.allclose(bypassed, kept, rtol=1e-2)
    # The shared model is the same without the softmax.
    np.testing.assert_allclose(bypassed, known(cls, options).values, rtol=1e-3, atol=1e-4)


@every_explainer
def test_a_constant_model_has_a_zero_map(cls, options):
    free = not needs_gradients(cls, options) and not cls.needs_layers
    model = models.constant if free else _constant_keras()
    with law(cls, "constant_model"):
        np.testing.assert_array_equal(cls(model, **options).explain(X, TARGETS).values, 0)


def _constant_keras():
    model = models.convolutional()
    model.get_layer("head").kernel.assign(tf.zeros_like(model.get_layer("head").kernel))
    return model


@every_class
@pytest.mark.parametrize(
    "kind", ["nested", "subclassed", "sequential", "mixed", "channels_first", "binary", "callable"]
)
def test_every_kind_of_model(cls, options, kind, known):
    plain = models.convolutional()
    made = {
        "nested": models.nested,
        "subclassed": models.Subclassed,
        "sequential": models.sequential_unbuilt,
        "mixed": models.mixed_precision,
        "channels_first": models.ChannelsFirst,
        "binary": models.binary,
        "callable": lambda: lambda x: plain(np.asarray(x)).numpy(),
    }[kind]()
    x = np.transpose(X, (0, 3, 1, 2)) if kind == "channels_first" else X
    targets = TARGETS % 2 if kind == "binary" else TARGETS
    given = options
    if kind == "channels_first" and "references" in options:
        options = {**options, "references": np.transpose(options["references"], (0, 3, 1, 2))}
    if kind == "callable" and (needs_gradients(cls, options) or cls.needs_layers):
        with pytest.raises(ModelError, match="must have gradients|must be a Keras model"):
            cls(made, **options).explain(x, targets)
        return
    lacking = {"mixed": "mixed precision", "channels_first": "subclassed"}.get(kind, kind)
    if refuses(cls, lacking, lambda: cls(made, **options).explain(x, targets)):
        return
    maps = cls(made, **options).explain(x, targets)
    assert maps.shape == (5, 8, 12, 1) and np.isfinite(maps.values).all() and np.ptp(maps.values) > 0
    if kind in ("channels_first", "callable"):
        np.testing.assert_allclose(maps.values, known(cls, given).values, rtol=1e-2, atol=1e-4)
    if kind == "mixed":
        # Rounding to half precision moves some units across the kink of their ReLU.
        assert np.corrcoef(maps.values.ravel(), known(cls, given).values.ravel())[0, 1] > 0.9


@every_class
def test_the_explained_one_of_several_inputs(cls, options):
    model = models.two_inputs()
    inputs = {"picture": X, "table": np.linspace(0.2, 1, 10, dtype=np.float32).reshape(5, 2)}
    explainer = cls(model, explain_input="picture", **options)
    if refuses(cls, "several inputs", lambda: explainer.explain(inputs, TARGETS)):
        return
    maps = explainer.explain(inputs, TARGETS)
    assert maps.shape == (5, 8, 12, 1) and np.isfinite(maps.values).all()
    scale = inputs["table"].sum(1)
    np.testing.assert_allclose(maps.scores, models.convolutional()(X).numpy()[np.arange(5), TARGETS] * scale, rtol=1e-3)


@every_explainer
def test_the_host_driver_gives_what_the_graph_driver_gives(cls, options, model):
    # In a graph all rounds run: there is no early stop to compare.
    explainer = cls(model, **{**options, **({"stop_when": 0.999999} if "stop_when" in options else {})})
    if not explainer.traceable:
        pytest.skip(f"{cls.__name__} has a step on the host")
    host = explainer.explain(X, TARGETS)
    graph = tf.function(explainer.explain)(tf.constant(X), tf.constant(TARGETS))
    assert tf.is_tensor(graph) and graph.shape == host.shape
    scale = np.abs(host.maps).max()
    np.testing.assert_allclose(graph / scale, host.maps / scale, atol=1e-5)
    exported = explainer.as_function()(tf.constant(X), tf.constant(TARGETS))
    np.testing.assert_allclose(exported["attributions"] / scale, host.maps / scale, atol=1e-5)
    np.testing.assert_allclose(exported["scores"], host.scores, rtol=1e-4)


@every_explainer
def test_uint8_and_preprocessing_live_in_the_users_space(cls, options):
    """The mask multiplies what the user hands over; preprocessing comes last."""
    pixels = (X * 255).astype(np.uint8)
    model = models.convolutional()
    preprocessed = cls(model, preprocess=lambda x: x / 255.0, **options)
    if refuses(cls, "preprocess", lambda: preprocessed.explain(pixels, TARGETS)):
        return
    outside = preprocessed.explain(pixels, TARGETS)
    raw = keras.Input(models.SHAPE)
    inside = cls(keras.Model(raw, model(raw / 255.0)), **options).explain(pixels.astype("float32"), TARGETS)
    np.testing.assert_allclose(outside.values, inside.values, rtol=1e-3, atol=1e-3 * np.abs(inside.values).max())
    shifted = cls(model, preprocess="tf", **options).explain(pixels, TARGETS)
    with law(cls, "model"):
        assert not np.allclose(outside.values, shifted.values, rtol=1e-2)


@every_class
def test_predicted_classes_one_target_and_weights(cls, options, model, made):
    explainer = made(cls, options)
    predicted = model(X).numpy().argmax(1)
    maps = explainer.explain(X)
    np.testing.assert_array_equal(maps.targets, predicted)
    np.testing.assert_allclose(
        maps.values, explainer.explain(X, np.eye(4, dtype="float32")[predicted]).values, rtol=1e-3, atol=1e-4
    )
    np.testing.assert_array_equal(explainer.explain(X, 2).targets, np.full(5, 2))
    contrast = explainer.explain(X, np.tile([1.0, -1.0, 0.0, 0.0], (5, 1)))
    np.testing.assert_allclose(contrast.scores, model(X).numpy() @ [1, -1, 0, 0], rtol=1e-3, atol=1e-5)


@every_class
def test_a_users_operator_changes_the_number(cls, options, model, made):
    def squared(forward, inputs, targets):
        return tf.reduce_sum(forward(inputs) ** 2, axis=-1)

    if refuses(cls, "operator", lambda: cls(model, operator=squared, **options).explain(X)):
        return
    maps = cls(model, operator=squared, **options).explain(X)
    np.testing.assert_allclose(maps.scores, (model(X).numpy() ** 2).sum(1), rtol=1e-3)
    with law(cls, "target"):
        assert not np.allclose(maps.values, made(cls, options).explain(X).values, rtol=1e-2)


@every_class
def test_replace_and_call(cls, options, made):
    explainer = made(cls, options)
    other = explainer.replace(model=models.convolutional(seed=2))
    assert type(other) is type(explainer) and other.seed == explainer.seed
    with law(cls, "model"):
        assert not np.allclose(other(X, TARGETS).values, explainer(X, TARGETS).values)


@every_class
def test_streams_and_resumes(cls, options, made, tmp_path):
    explainer = made(cls, options)
    x, targets = models.images(19), np.arange(19) % 4
    wanted = explainer.explain(x, targets)
    parts = list(explainer.stream(tf.data.Dataset.from_tensor_slices((x, targets)).batch(4)))
    assert len(parts) >= 1 and sum(len(part) for part in parts) == 19
    np.testing.assert_allclose(np.concatenate([part.values for part in parts]), wanted.values, rtol=1e-3, atol=1e-4)
    running = explainer.stream(x, targets, out=tmp_path / "run")
    next(running)
    running.close()
    kept = sorted(file.name for file in (tmp_path / "run").glob("part-*.npz"))
    assert kept == ["part-00000.npz"]
    stamp = (tmp_path / "run" / kept[0]).stat().st_mtime_ns
    resumed = explainer.explain(x, targets, out=tmp_path / "run")
    assert (tmp_path / "run" / kept[0]).stat().st_mtime_ns == stamp
    np.testing.assert_allclose(resumed.values, wanted.values, rtol=1e-3, atol=1e-4)


@every_explainer
def test_the_seed_changes_what_is_not_deterministic(cls, options, model, known):
    other = cls(model, seed=1, **options).explain(X, TARGETS).values
    assert known(cls, options).settings["seed"] == 0
    assert np.array_equal(known(cls, options).values, other) == cls.deterministic


@every_explainer
def test_the_cost_is_what_the_model_is_shown(cls, options, model, made):
    explainer = made(cls, options)
    explainer.explain(X[:1], TARGETS[:1])
    forwards, backwards = explainer.cost(X.shape[1:], explainer.engine.output_spec(X))
    assert (backwards > 0) == needs_gradients(cls, options)
    if needs_gradients(cls, options) or cls.needs_layers or "stop_when" in options:
        return
    shown = []

    def counted(x):
        shown.append(len(x))
        return model(x).numpy()

    cls(counted, **options).explain(X, TARGETS)
    # The model is asked once more for the scores of the inputs as they are, and once to learn what it answers.
    assert sum(shown) == len(X) * (forwards + 1) + 1


@pytest.mark.parametrize("cls", sorted({case[1] for case in CASES}, key=lambda cls: cls.__name__))
def test_declared_exemptions_say_why(cls):
    for name, reason in cls.exempt.items():
        assert name in LAWS + REFUSALS, f"{cls.__name__}.exempt[{name!r}]: no test asks for this law"
        assert len(reason) > 20, f"{cls.__name__}.exempt[{name!r}] must say why"


def test_the_notice_is_one_a_user_can_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        with pytest.raises(Notice):
            CASES[0][1](models.convolutional(activation="softmax"), **CASES[0][2]).explain(X)
