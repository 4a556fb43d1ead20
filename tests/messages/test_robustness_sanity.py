"""The words of robustness, stability, randomised weights and another class."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests import models
from tests.messages.saying import TARGETS, X, network, says
from xsparks.attributions import Saliency
from xsparks.core.errors import ModelError
from xsparks.metrics import (
    AverageStability,
    MaxSensitivity,
    ModelRandomization,
    RandomLogit,
    RobustnessNotSr,
    RobustnessSr,
)
from xsparks.models.access import ModelAccess
from xsparks.models.randomised import weighted_layers
from xsparks.numerics.map_similarity import map_similarities

pytestmark = pytest.mark.filterwarnings("ignore::xsparks.models.access.Notice")
MAPS = np.ones((5, 8, 12), np.float32)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        (
            {"levels": (0.2, 0.1)},
            ValueError,
            (
                "`RobustnessSr(levels=(0.2, 0.1))`: `levels` must be fractions that rise, "
                "got (0.2, 0.1). Use (0.1, 0.2, 0.3)."
            ),
        ),
        ({"levels": ()}, ValueError, "`levels` must be fractions that rise, got ()."),
        ({"levels": (0.2, 1.0)}, ValueError, "`levels` must be a number in [1e-06, 0.999999], got 1.0."),
        ({"attack_steps": 0}, ValueError, "`attack_steps` must be an integer of at least 1, got 0. Use 20."),
        ({"step_size": 0}, ValueError, "`step_size` must be a number in [0.001, 1000], got 0. Use 2.5."),
        ({"bisections": 0}, ValueError, "`bisections` must be an integer of at least 1, got 0. Use 8."),
        ({"tolerance": 2}, ValueError, "`tolerance` must be a number in [1e-06, 1], got 2. Use .01."),
        ({"start_radius": 0}, ValueError, "`start_radius` must be a number in [1e-12, inf], got 0. Leave it out"),
        ({"loss": "scores"}, ValueError, "`loss` must be one of 'margin', 'score', got 'scores'. Nearest: score."),
        ({"value_range": "inputs"}, ValueError, "`value_range` must be one of 'input', got 'inputs'."),
        (
            {"value_range": (1, 0)},
            ValueError,
            (
                "`RobustnessSr(value_range=(1, 0))`: `value_range` must be (low, high), "
                "got (1, 0). Use (0, 1) for pixels from 0 to 1."
            ),
        ),
        ({"value_range": (0, 1, 2)}, ValueError, "`value_range` must be (low, high), got (0, 1, 2)."),
    ],
    ids=str,
)
def test_options_of_robustness(options, kind, text):
    says(kind, text, lambda: RobustnessSr(network(), X, TARGETS, **options))


def test_robustness_of_what_takes_no_decision():
    says(
        ModelError,
        "`RobustnessSr`: the model must decide between at least 2 classes, got an output of shape (None, 1). A sigmoid "
        "unit is two classes where it is the model's last layer.",
        lambda: RobustnessSr(models.additive(np.ones((8, 12))), X, 0).evaluate(MAPS),
    )


def test_robustness_needs_gradients():
    says(
        ModelError,
        "`RobustnessNotSr`: the model must have gradients, got a function of NumPy arrays.",
        lambda: RobustnessNotSr(lambda x: network()(np.asarray(x)).numpy(), X, TARGETS).evaluate(MAPS),
    )


def test_an_image_of_zeros_has_no_length():
    dark = X.copy()
    dark[3] = 0
    says(
        ValueError,
        "`RobustnessSr`: no image may be zero everywhere, as distances are limited by the length of the image, got an "
        "image of zeros. Leave it out.",
        lambda: RobustnessSr(
            network(), dark, TARGETS, levels=(0.1,), attack_steps=2, bisections=1, value_range=(0, 1)
        ).evaluate(MAPS),
    )


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"neighbours": 0}, ValueError, "`AverageStability(neighbours=0)`: `neighbours` must be an integer of"),
        ({"radius": 0}, ValueError, "`radius` must be a number in [1e-09, 1], got 0. Use .1, a fraction of the input"),
        ({"noise": "gauss"}, ValueError, "`noise` must be one of 'uniform', 'normal', got 'gauss'."),
        ({"normalise": "max"}, ValueError, "`normalise` must be one of 'l2', 'none', got 'max'."),
        ({"distance": "cosine"}, ValueError, "`distance` must be one of 'l2', 'l1', 'spearman', got 'cosine'."),
        (
            {"ids": [[1, 2]]},
            ValueError,
            (
                "`AverageStability(ids=...)`: `ids` must be integers (n,) of at least 0, got "
                "int64 of shape (1, 2), 1 among them. For example the numbers of the photographs in their collection."
            ),
        ),
        ({"ids": [0, -3]}, ValueError, "of at least 0, got int64 of shape (2,), -3 among them."),
        ({"ids": [0.5]}, ValueError, "of at least 0, got float64 of shape (1,), 0.5 among them."),
    ],
    ids=str,
)
def test_options_of_stability(options, kind, text):
    says(kind, text, lambda: AverageStability(network(), X, TARGETS, **options))


def test_too_few_ids():
    says(
        ValueError,
        "`MaxSensitivity(ids=...)`: `ids` must have one entry for each of the inputs, got 3 for at least 5. Leave it "
        "out for the same noise for all samples.",
        lambda: MaxSensitivity(network(), X, TARGETS, ids=[1, 2, 3])(Saliency(network())),
    )


@pytest.mark.parametrize(
    ("answer", "received"), [(np.ones(3), "shape (3,)"), (np.full(5, np.nan), "NaN or infinity")], ids=["few", "nan"]
)
def test_a_distance_of_the_wrong_shape(answer, received):
    says(
        ValueError,
        "`AverageStability(distance=...)`: the function must answer with one finite number for each of the 5 pairs of "
        f"maps, got {received}. It gets two arrays (m, h, w) and answers with (m,).",
        lambda: AverageStability(network(), X, TARGETS, distance=lambda a, b: answer)(Saliency(network())),
    )


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"mode": "cascade"}, ValueError, "`mode` must be one of 'cascading', 'independent', got 'cascade'."),
        ({"similarity": "pearson"}, ValueError, "`similarity` must be one of 'spearman', 'spearman_abs', 'ssim', got"),
        ({"stages": 0}, ValueError, "`stages` must be an integer of at least 1, got 0. Use 10, or None"),
        ({"layers": 0}, ValueError, "`layers` must be a number in [1e-09, 1], got 0. Use 1 for all, or"),
        ({"layers": "head"}, TypeError, "`layers` must be a number in [1e-09, 1], got 'head'. Use 1 for all, or"),
        (
            {"layers": []},
            ValueError,
            (
                "`ModelRandomization(layers=[])`: `layers` must name at least one layer, got none. "
                "Use 1.0 for all layers that have weights."
            ),
        ),
    ],
    ids=str,
)
def test_options_of_the_randomisation(options, kind, text):
    says(kind, text, lambda: ModelRandomization(network(), X, TARGETS, **options))


def test_layers_that_cannot_be_randomised():
    says(
        ModelError,
        "`ModelRandomization(layers=...)`: every layer in `layers` must have weights that training learns, got "
        "'flatten'. Layers with weights: head, second, first, ...",
        lambda: ModelRandomization(network(), X, TARGETS, layers=["flatten"])(Saliency(network())),
    )
    says(
        ModelError,
        "`ModelRandomization`: the layer must exist in the model, got 'heads'. Nearest: head.",
        lambda: ModelRandomization(network(), X, TARGETS, layers=["heads"])(Saliency(network())),
    )


def test_models_without_weights():
    function = lambda x: network()(x)
    says(
        ModelError,
        "`ModelRandomization`: the model must be a Keras model, whose weights can be reached, got a function. Pass the "
        "Keras model itself.",
        lambda: ModelRandomization(function, X, TARGETS)(Saliency(function)),
    )
    bare = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()], name="bare")
    access = ModelAccess(bare)
    access.ensure_ready(np.ones((1, 2, 2, 1), np.float32))
    says(
        ModelError,
        "`ModelAccess`: the model must have weights that training learns, got none in 'bare'. Use a measure that "
        "leaves the weights alone, such as AverageStability.",
        lambda: weighted_layers(access),
    )


def test_no_other_class():
    model = models.binary()
    says(
        ModelError,
        "`RandomLogit`: the model must have outputs of at least 2 classes, got two outputs that are each other's "
        "negative, as of one sigmoid unit. Use ModelRandomization, which asks about one class only.",
        lambda: RandomLogit(model, X, TARGETS % 2)(Saliency(model)),
    )
    one = models.additive(np.ones((8, 12)))
    says(
        ModelError,
        "`RandomLogit`: the model must have outputs of at least 2 classes, got an output of shape (5, 1).",
        lambda: RandomLogit(one, X, 0)(Saliency(one)),
    )


def test_targets_of_several_classes():
    says(
        ValueError,
        "`RandomLogit`: `targets` must name one class a sample, got weights of several classes. Pass class ids (n,).",
        lambda: RandomLogit(network(), X, np.full((5, 4), 0.25))(Saliency(network())),
    )


def test_the_structural_similarity_needs_pictures():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    says(
        ValueError,
        "`map_distances(distance='ssim')`: maps must have two axes of places",
        lambda: RandomLogit(model, np.ones((2, 6), np.float32), [0, 1])(Saliency(model)),
    )
    says(ValueError, "`similarity` must be one of 'spearman'", lambda: map_similarities([[1.0]], [[1.0]], "dice"))
