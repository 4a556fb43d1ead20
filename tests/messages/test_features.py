"""What the features package says when something does not fit."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tests import models
from tests.messages.saying import network, says
from xsparks.core.errors import ModelError
from xsparks.features import (
    MACO,
    Diversity,
    FeatureVisualisation,
    Objective,
    Plausibility,
    TotalVariation,
    Transferability,
    Visualisation,
)
from xsparks.features.objectives import Term
from xsparks.plots import plot_gallery, plot_progress, with_transparency


def maco(model=None, **options):
    return MACO(model or network(), **{"steps": 2, "crops": 2, "image_size": 16, "values_range": (0, 1), **options})


def _two_heads():
    inputs = keras.Input((8, 12, 3))
    return keras.Model(inputs, [keras.layers.GlobalAveragePooling2D(name=name)(inputs) for name in ("one", "two")])


def test_options():
    says(ValueError, "`values_range` must be (black, white), with black below white", lambda: maco(values_range=(1, 0)))
    says(TypeError, "`optimizer` must be a Keras optimizer, got 'adam'", lambda: maco(optimizer="adam"))
    says(ValueError, "whose outputs are one vector", lambda: maco(operator="detection"))
    says(TypeError, "a number, a pair (first, last) or a function of the progress", lambda: maco(noise="much"))
    says(ValueError, "`crop_size` must lie in [0.05, 1] at every step, got 2 at step 1", lambda: maco(crop_size=(1, 2)))
    says(ValueError, "`weight` must be a number in [0, inf]", lambda: TotalVariation(-1.0))
    says(TypeError, "`canvas` must be a Canvas", lambda: FeatureVisualisation(network(), canvas="pixel"))
    says(ValueError, "`steps` must be an integer of at least 1", lambda: maco(steps=0))


def test_magnitudes():
    says(ValueError, "`magnitude` must be one of 'natural'", lambda: maco(magnitude="imagenet").explain(targets=0))
    says(
        ValueError,
        "`magnitude` must be pictures (n, h, w, 3), or the magnitude of each frequency, (16, 9, 3), got shape (4, 4)",
        lambda: maco(magnitude=np.ones((4, 4))).explain(targets=0),
    )
    says(
        ValueError,
        "magnitudes must be finite, not negative, and not zero everywhere",
        lambda: maco(magnitude=-np.ones((16, 9, 3))).explain(targets=0),
    )
    two = models.convolutional((8, 12, 2))
    says(ValueError, "pictures of 1 or 3 channels, got 2 channels", lambda: maco(two).explain(targets=0))


def test_targets():
    says(ValueError, "`targets` must say what to show, got None", lambda: maco().explain())
    says(ValueError, "`targets` must say what to show, got none", lambda: maco().explain(targets=[]))
    says(TypeError, "each target must be a class id, an array (c,)", lambda: maco().explain(targets="cat"))
    says(ValueError, "a class of the model's output must lie in [0, 3], got 7", lambda: maco().explain(targets=7))
    says(
        ValueError,
        "a direction of second must have shape (8,), got (3,)",
        lambda: maco(layer="second").explain(targets=np.eye(3)),
    )
    far = Objective.neuron("second", (1, 90), 0)
    says(ValueError, "a place of second must lie within (3, 5), got (1, 90)", lambda: maco().explain(targets=far))
    says(ValueError, "must be finite, not zero everywhere", lambda: Objective.direction("second", [0.0, 0.0]))
    says(ValueError, "a single channel must have the loss 'dot'", lambda: Term(direction=3, loss="cosine"))
    says(ModelError, "second2", lambda: maco().explain(targets=Objective.channel("second2", 0)))


def test_photographs():
    expected = "`inputs` must be photographs (n, h, w, 3) with values in [0, 1]"
    photographs = np.full((2, 16, 16, 3), 2.0, np.float32)
    says(ValueError, expected, lambda: maco().explain(photographs, [0, 1]))
    says(ValueError, "2 photographs for 3 targets", lambda: maco().explain(photographs / 2, [0, 1, 2]))
    says(ValueError, "`near` must have photographs", lambda: maco(near="first").explain(targets=0))


def test_models():
    says(
        ValueError,
        "`values_range`, the values of black and white, must be known",
        lambda: maco(values_range=None).explain(targets=0),
    )
    says(
        ModelError,
        "the size of what the model reads must be known",
        lambda: maco(models.Subclassed()).explain(targets=0),
    )
    says(ModelError, "pictures and nothing else", lambda: maco(models.two_inputs()).explain(targets=0))
    blind = maco(lambda x: np.asarray(x).sum((1, 2)), view_size=(8, 12))
    says(ModelError, "the model must have gradients", lambda: blind.explain(targets=0))
    says(ModelError, "outputs must answer with one array", lambda: maco(_two_heads()).explain(targets=0))
    method = maco()

    @tf.function(autograph=False)
    def within():
        return method.explain(targets=0)

    says(ModelError, "pictures must be made outside of a graph", within)


def test_folders(tmp_path):
    maco().explain(targets=0, out=tmp_path)
    says(ValueError, "the folder must belong to the same run", lambda: maco().explain(targets=1, out=tmp_path))
    other = maco(optimizer=keras.optimizers.Adam(0.1))
    says(ValueError, "another settings", lambda: other.explain(targets=0, out=tmp_path))


def test_measures():
    pictures = models.images(3)
    options = {"values_range": (0, 1)}
    says(ValueError, "more than 3 photographs", lambda: Plausibility(network(), photographs=pictures, neighbours=3))
    transfer = Transferability(network(), **options)
    says(ValueError, "pictures must have shape (n, h, w, 3)", lambda: transfer.evaluate(pictures[0], [0]))
    says(ValueError, "at least 2 pictures", lambda: Diversity(network(), **options).evaluate(pictures, ["a", "a", "b"]))


def test_transparency():
    says(
        ValueError,
        "`transparency` must have the size of its picture, (8, 12)",
        lambda: with_transparency(models.images(1), np.ones((1, 4, 4))),
    )


def test_galleries_and_progress():
    pictures = models.images(2)
    says(
        ValueError,
        "examples must belong to names of the pictures, got 'wolf'. There are 'cat', 'dog'.",
        lambda: plot_gallery(pictures, names=["cat", "dog"], examples={"wolf": pictures}),
    )
    says(ValueError, "`names` must have as many entries", lambda: plot_gallery(pictures, names=["cat"]))
    says(ValueError, "`columns` must be an integer of at least 1", lambda: plot_gallery(pictures, columns=0))
    says(
        ValueError,
        "finite numbers of one optimisation, (steps,), got shape (2, 4)",
        lambda: plot_progress(np.eye(4)[:2]),
    )
    says(ValueError, "`values` must be finite numbers", lambda: plot_progress([0.0, np.nan]))
    says(
        ValueError,
        "`steps` must be increasing numbers in [0, 3], one for each of the 2 pictures, got [2, 1]",
        lambda: plot_progress([0.0, 1.0, 2.0], pictures, steps=[2, 1]),
    )
    seen = Visualisation(pictures, pictures[..., :1])
    says(ValueError, "the values of the objective must have been kept", seen.plot_progress)
    says(ValueError, "`stages` must be an integer in [0, 2]", lambda: maco(stages=3))
