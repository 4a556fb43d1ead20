"""The words of `xsparks.alignment`, and of the numerics of human maps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.messages.saying import says
from tests.truths.harmonized_models import SIDE, compiled, network, pictures
from xsparks.alignment import (
    ClickMe,
    Harmonization,
    HumanAlignment,
    heatmaps_of,
    human_ceiling,
    human_dataset,
    read_clickme,
    write_clickme,
)
from xsparks.core.errors import ModelError, WriteError
from xsparks.numerics.click_blur import click_kernel
from xsparks.numerics.human_distances import soft_ranks
from xsparks.numerics.pyramid import half_of, pyramid, pyramid_distance

X, Y = pictures()


class Data:
    """What looks like a dataset."""

    element_spec = None


def harmonize(model: Any, targets: Any = Y, images: Any = X, **options: Any) -> Any:
    """One harmonized step, eagerly."""
    callbacks = [Harmonization(**{"levels": 3, **options})]
    return model.fit(images, targets, verbose=0, callbacks=callbacks)


def eager(model: Any = None, **options: Any) -> Any:
    """A compiled network."""
    return compiled(network() if model is None else model, 0.0, run_eagerly=True, **options)


@pytest.mark.parametrize(
    ("kind", "text", "call"),
    [
        (
            ValueError,
            "`pyramid(levels=6)`: `levels` must be at most 5 for maps of 16 x 9 pixels, got 6. Further levels would",
            lambda: pyramid(tf.zeros((1, 16, 9)), 6),
        ),
        (
            TypeError,
            "`half_of`: maps must be floating numbers of shape (n, h, w), got int32 of shape (1, 4, 4). Leave out",
            lambda: half_of(tf.zeros((1, 4, 4), tf.int32)),
        ),
        (
            ValueError,
            "`standardisation` must be one of 'input', 'level', 'none', got 'levels'. Nearest: level",
            lambda: pyramid_distance(tf.zeros((1, 4, 4)), tf.zeros((1, 4, 4)), standardisation="levels"),
        ),
        (
            ValueError,
            "`soft_ranks(temperature=0)`: `temperature` must be above 0, got 0. Use 0.1, or `ranks` for exact ranks",
            lambda: soft_ranks(tf.zeros(3), 0),
        ),
    ],
)
def test_numerics(kind, text, call):
    says(kind, text, call)


@pytest.mark.parametrize(
    ("kind", "text", "options"),
    [
        (ValueError, "`weight` must be a number in [0, inf], got -1.0. Use 1.", {"weight": -1.0}),
        (TypeError, "`weight` must be a number", {"weight": "1"}),
        (ValueError, "`distance` must be one of 'pyramid', 'cosine', 'soft_rank', got 'cosin'.", {"distance": "cosin"}),
        (ValueError, "`saliency` must be one of 'gradient', 'absolute_gradient'", {"saliency": "grad"}),
        (ValueError, "`score` must be one of 'logit', 'log_odds', got 'odds'", {"score": "odds"}),
        (ValueError, "`levels` must be an integer of at least 1, got 0. Use 5.", {"levels": 0}),
        (ValueError, "`standardisation` must be one of", {"standardisation": "both"}),
        (ValueError, "`epsilon` must be a number in [0, inf]", {"epsilon": -1}),
        (ValueError, "`mean_over` must be one of 'batch', 'maps'", {"mean_over": "samples"}),
        (ValueError, "`pass_of` must be one of 'training', 'inference'", {"pass_of": "test"}),
    ],
)
def test_options(kind, text, options):
    says(kind, text, lambda: Harmonization(**options))


def test_a_schedule_below_zero():
    says(
        ValueError,
        "`Harmonization(weight=-1)`: `weight` must be a number in [0, inf], got -1. Let it return 0 or more.",
        lambda: harmonize(eager(), weight=lambda epoch: -1),
    )


@pytest.mark.parametrize(
    ("targets", "received"),
    [
        (Y["label"], "targets without keys"),
        ({**Y, "mask": Y["heatmap"]}, "the keys ['has_heatmap', 'heatmap', 'label', 'mask']"),
    ],
)
def test_other_targets(targets, received):
    says(
        ValueError,
        "`Harmonization`: the targets must be {'label': ..., 'heatmap': ..., 'has_heatmap': ...}, got " + received,
        lambda: harmonize(eager(), targets),
    )


@pytest.mark.parametrize(
    ("heatmap", "text"),
    [
        (
            Y["heatmap"][:, :6],
            f"'heatmap' must have the size of the saliency, ({SIDE}, {SIDE}), got (6, {SIDE}). Resize",
        ),
        (
            Y["heatmap"][:, 0],
            f"'heatmap' must have shape (n, h, w) or (n, h, w, 1), got shape (8, {SIDE}). Give one map",
        ),
    ],
)
def test_other_maps(heatmap, text):
    says(ValueError, text, lambda: harmonize(eager(), {**Y, "heatmap": heatmap}))


def test_a_model_without_gradients():
    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, network()(keras.ops.stop_gradient(inputs)))
    says(
        ModelError,
        "the score must depend on the inputs by operations that have gradients, got no gradient",
        lambda: harmonize(eager(model), score=lambda outputs, label: tf.stop_gradient(outputs[:, 0])),
    )


def test_a_model_that_is_not_compiled():
    says(
        ModelError,
        "`Harmonization`: the model must be a compiled Keras model, got Functional. Call model.compile",
        lambda: Harmonization().set_model(network()),
    )


@pytest.mark.parametrize("output", [None, "sort"])
def test_several_outputs(output):
    model = network()
    both = keras.Model(model.input, {"kind": model.output, "other": model.output})
    both.compile("sgd", {"kind": "sparse_categorical_crossentropy", "other": None}, run_eagerly=True)
    targets = {**Y, "label": {"kind": Y["label"], "other": Y["label"]}}
    says(
        ModelError,
        f"`Harmonization(output={output!r})`: `output` must name one of the model's outputs, ['kind', 'other'], got "
        f"{output!r}. Use output='kind'.",
        lambda: harmonize(both, targets, output=output),
    )


@pytest.mark.parametrize("option", ["output", "explain_input"])
def test_a_name_where_there_is_one(option):
    says(
        ModelError,
        f"`Harmonization({option}='kind')`: `{option}` must name one of the model's {option.split('_')[-1]}s, [None], "
        f"got 'kind'. Use {option}=None.",
        lambda: harmonize(eager(), **{option: "kind"}),
    )


def test_several_labels_of_one_output():
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = network()

        def call(self, inputs: Any) -> Any:
            return self.backbone(inputs)

        def compute_loss(self, *arguments: Any, **options: Any) -> Any:
            return 0.0

    says(
        ModelError,
        "`output` must name the output of several labels that is explained, got labels ['a', 'b']. Set output=",
        lambda: harmonize(eager(Two()), {**Y, "label": {"a": Y["label"], "b": Y["label"]}}),
    )


def test_a_training_step_that_computes_no_loss():
    class Idle(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = network()

        def call(self, inputs: Any) -> Any:
            return self.backbone(inputs)

        def train_step(self, data: Any) -> Any:
            self(data[0])
            return {"loss": 0.0}

    says(
        ModelError,
        "the training step must call the model and then self.compute_loss, got a train_step of Idle that does not",
        lambda: harmonize(eager(Idle())),
    )


def test_attach():
    says(
        TypeError,
        "`Harmonization.attach`: `data` must be a batched tf.data.Dataset, got ndarray. Use",
        lambda: Harmonization().attach(eager(), X),
    )
    pairs: Any = (X, Y)
    data = tf.data.Dataset.from_tensor_slices(pairs).batch(4)
    says(
        TypeError,
        "targets under a distribution strategy must be numbers, of which Keras takes means, got booleans. Cast",
        lambda: Harmonization().attach(eager(), data),
    )
    assert np.asarray(Y["has_heatmap"]).dtype == bool


MAPS = np.random.default_rng(0).random((3, 8, 8))


def aligned(maps: Any = MAPS, human: Any = MAPS, **options: Any) -> Any:
    """A score."""
    return HumanAlignment(human, **{"scales": (1, 2), **options}).evaluate(maps)


@pytest.mark.parametrize(
    ("kind", "text", "options"),
    [
        (ValueError, "`ceiling` must be a number in [0, 1], got 65.7. Use 1 for the bare", {"ceiling": 65.7}),
        (ValueError, "`HumanAlignment`: `ceiling` must be above 0, got 0. Leave it out for the", {"ceiling": 0}),
        (ValueError, "`share` must be above 0, got 0", {"share": 0}),
        (ValueError, "`scales` must be an integer of at least 1, got 0. Use (1, 4, 16).", {"scales": (0,)}),
        (ValueError, "`null_draws` must be an integer of at least 0, got -1", {"null_draws": -1}),
        (TypeError, "`inputs` must be an array, a tensor or a list, so that each human map", {"inputs": Data()}),
        (ValueError, "`human` must have one map for each sample, got 2 for 3 or more", {"human": MAPS[:2]}),
        (
            ValueError,
            "human maps must have the size of the maps, (8, 8), got (4, 8). Make them of that size with heatmaps_of",
            {"human": MAPS[:, ::2]},
        ),
        (
            ValueError,
            "human maps must be finite and not constant, got one that is not, of sample 1. Leave out samples",
            {"human": MAPS * np.array([1, 0, 1])[:, None, None]},
        ),
        (
            ValueError,
            "`scales` must leave two places of maps of 8 x 8 pixels, got 8. Use scales=(1, 2, 4).",
            {"scales": (1, 8)},
        ),
    ],
)
def test_human_alignment(kind, text, options):
    says(kind, text, lambda: aligned(**options))


@pytest.mark.parametrize(
    ("given", "received"), [([], "no image"), ([MAPS[:1]], "shape (1, 8, 8)"), ([MAPS[0]], "shape (8, 8)")]
)
def test_human_ceiling(given, received):
    says(
        ValueError,
        "`human_ceiling`: `people` must have maps (p, h, w) of two or more people for each image, got " + received,
        lambda: human_ceiling(given),
    )


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ([MAPS], "maps", "`heatmaps_of (image 0)`: a map or mask must be (h, w), finite and not negative, got shape"),
        (
            [None, -MAPS[0]],
            "maps",
            "a map or mask must be (h, w), finite and not negative, got negative values, NaN or infinity. Pass None",
        ),
        ([[[1, 2, 3]]], "boxes", "boxes must be (k, 4), left, top, right and bottom, got [[1.0, 2.0, 3.0]]"),
        ([MAPS], "boxes", "boxes must be (k, 4), left, top, right and bottom, got shape (3, 8, 8)"),
        ([[4, 1, 2, 3]], "boxes", "boxes must have their right and bottom sides after the left and top ones, got oth"),
        ([[[1]]], "fixations", "fixations must be (k, 2), columns and rows, or (k, 3) with a weight, got [[1.0]]"),
        ([[[8, 1]]], "fixations", "fixations must lie in the image of 8 x 8 pixels, got [8.0, 1.0]. Pass None"),
        ([MAPS[0]], "mask", "`kind` must be one of 'maps', 'masks', 'boxes', 'fixations', got 'mask'"),
    ],
)
def test_human_maps(given, kind, text):
    says(ValueError, text, lambda: heatmaps_of(given, kind, (8, 8)))


def test_human_dataset():
    says(
        ValueError,
        "`human_dataset`: `images` must be (n, h, w, c), with one label and one human map each, got images of shape "
        "(3, 8, 8, 1), 2 labels, 3 maps. Pass None as the map",
        lambda: human_dataset(MAPS[..., None], [0, 1], MAPS, "maps"),
    )


def test_clickme(tmp_path):
    says(ValueError, "`split` must be one of 'train', 'val', got 'test'", lambda: ClickMe(split="test"))
    says(ValueError, "`blur` must be one of 'published', 'symmetric', 'none'", lambda: ClickMe(blur="box"))
    says(ValueError, "'val' has the shards 0 to 17", lambda: ClickMe(split="val", shards=[18]))
    says(
        FileNotFoundError,
        "`read_clickme`: `paths` must name files that are there, got none. ClickMe(split='val').fetch() gets them.",
        lambda: read_clickme([]),
    )
    picture = np.zeros((1, 256, 256, 3), "uint8")
    says(
        ValueError,
        "images and heatmaps must be uint8, this one of shape (256, 256), got uint8 of shape (64, 64). Resize them",
        lambda: write_clickme(tmp_path / "a", picture, picture[:, :64, :64, 0], [0]),
    )
    says(
        WriteError,
        "the file must be writable, got",
        lambda: write_clickme(tmp_path / "none" / "a", picture, picture[..., 0], [0]),
    )
    says(
        ValueError,
        "`click_kernel(sigma=0)`: `sigma` must be above 0, got 0. Leave out the blur instead.",
        lambda: click_kernel(sigma=0),
    )


def test_clickme_without_a_network(tmp_path):
    says(
        ConnectionError,
        "`http://127.0.0.1:9/val/val-0.tfrecords`: the file must be reachable, got [Errno 111] Connection refused. "
        f"Call again to go on where it ended, or put the file at {tmp_path}/val/val-0.tfrecords by hand.",
        lambda: ClickMe(split="val", shards=[0], folder=tmp_path, base_url="http://127.0.0.1:9").dataset(),
    )
