"""Every error of the plots says where, what was expected, what came and what to do."""

import numpy as np
import pytest

from xsparks.plots import displayable, overlay, plot_comparison, plot_curves, plot_intervals, plot_maps

MAPS = np.stack([np.eye(4)] * 2)
IMAGES = np.zeros((2, 8, 8, 3))
WITH_NAN = np.where(np.eye(4) > 0, np.nan, 0.0)
X = np.linspace(0, 1, 5)

CASES = [
    # displayable
    (lambda: displayable([]), ValueError, "`displayable`: `images` must hold at least one picture, got none."),
    (
        lambda: displayable(np.zeros((2, 8, 8, 4))),
        ValueError,
        (
            "each picture must be (h, w), (h, w, 1), (h, w, 3) or channels first, got shape (8, 8, 4). "
            "A single picture goes in a list: [image]. Of other channels choose 1 or 3, as in images[..., :3]."
        ),
    ),
    (lambda: displayable(np.zeros((2, 2, 8, 8, 3))), ValueError, "got shape (2, 8, 8, 3)"),
    (lambda: displayable(3.0), ValueError, "got shape ()"),
    (lambda: displayable(np.array([["cat", "dog"]])), TypeError, "`images` must hold numbers, got dtype <U3. Decode"),
    (lambda: displayable(np.full((1, 4, 4), np.nan)), ValueError, "`images` must be finite, got NaN or infinity."),
    (lambda: displayable(IMAGES, value_range=(1, 1)), ValueError, "`value_range` must increase, got (1, 1). Give the"),
    (lambda: displayable(IMAGES, data_format="NHWC"), ValueError, "`data_format` must be one of 'channels_last', '"),
    # maps
    (lambda: plot_maps([]), ValueError, "`plot_maps`: `maps` must hold at least one map, got none."),
    (
        lambda: plot_maps(np.zeros((2, 4, 4, 3))),
        ValueError,
        (
            "`plot_maps`: `maps` must be (n, h, w) or (n, h, w, 1), got one map of shape (4, 4, 3). "
            "Choose one channel, as in maps[..., 0], or add them up: maps.sum(-1)."
        ),
    ),
    (lambda: plot_maps(np.zeros(4)), ValueError, "got one map of shape ()"),
    (lambda: plot_maps(np.array([["a", "b"]])), TypeError, "`maps` must hold numbers, got dtype <U1. Convert them to"),
    (lambda: plot_maps(WITH_NAN), ValueError, "`plot_maps`: `maps` must be finite, got NaN or infinity. np.isfinite"),
    (
        lambda: plot_maps(MAPS, IMAGES[:1]),
        ValueError,
        "`plot_maps`: `images` must have as many entries as there are maps, 2, got 1. Give one for each map",
    ),
    (
        lambda: plot_maps(MAPS, titles=["a"]),
        ValueError,
        "`titles` must have as many entries as there are maps, 2, got 1",
    ),
    (
        lambda: plot_maps(MAPS, masks=MAPS[:1]),
        ValueError,
        "`masks` must have as many entries as there are maps, 2, got 1",
    ),
    (
        lambda: plot_maps(MAPS, masks=np.zeros((2, 4, 4, 3))),
        ValueError,
        "`masks` must be (n, h, w), got one mask of shape (4, 4, 3). Give True (or 1) inside the object and False",
    ),
    (
        lambda: plot_maps(MAPS, colormap="viridi"),
        ValueError,
        "`colormap` must be a name that matplotlib knows, or a Colormap, got 'viridi'. Nearest: viridis",
    ),
    (
        lambda: plot_maps(MAPS, scale="share"),
        ValueError,
        "`scale` must be one of 'each', 'shared', got 'share'. Nearest:",
    ),
    (
        lambda: plot_maps(MAPS, scale=3),
        TypeError,
        "`scale` must be 'each', 'shared' or a pair (low, high) with low < high, got 3. Give the values",
    ),
    (lambda: plot_maps(MAPS, scale=(2, 1)), ValueError, "or a pair (low, high) with low < high, got (2, 1)."),
    (lambda: plot_maps(MAPS, scale=(0, np.inf)), ValueError, "`scale` must be a number in"),
    (
        lambda: plot_maps(MAPS, clip=20),
        ValueError,
        '`clip` must be a number in [50, 100], got 20. Use "auto", None, or',
    ),
    (lambda: plot_maps(MAPS, clip="none"), TypeError, "`clip` must be a number in [50, 100], got 'none'."),
    (lambda: plot_maps(MAPS, opacity=2), ValueError, "`opacity` must be a number in [0, 1], got 2. 0 hides the map"),
    (lambda: plot_maps(MAPS, columns=0), ValueError, "`columns` must be an integer of at least 1, got 0. Use 4 for"),
    (lambda: plot_maps(MAPS, size=0), ValueError, "`size` must be a number in [0.3, 50], got 0. Sizes are in inches."),
    (
        lambda: plot_maps(MAPS, background="grey"),
        ValueError,
        "`background` must be one of 'gray', 'color', got 'grey'.",
    ),
    (
        lambda: plot_maps(MAPS, interpolation="cubic"),
        ValueError,
        "`interpolation` must be one of 'bilinear', 'nearest'",
    ),
    # overlay
    (lambda: overlay(MAPS, IMAGES[0]), ValueError, "`overlay`: `attribution` must be one map, got 2. Call it once for"),
    (lambda: overlay(WITH_NAN, IMAGES[0]), ValueError, "`overlay`: `maps` must be finite"),
    (lambda: overlay(MAPS[0], IMAGES), ValueError, "`overlay`: each picture must be (h, w)"),
    # comparison
    (lambda: plot_comparison(IMAGES, {}), TypeError, "`maps` must be a mapping from names to maps, got an empty one."),
    (
        lambda: plot_comparison(IMAGES, MAPS),
        TypeError,
        'a mapping from names to maps, got ndarray. Give {"Sobol": maps}.',
    ),
    (
        lambda: plot_comparison(IMAGES, {"Sobol": MAPS[:1]}),
        ValueError,
        "`plot_comparison`: `maps['Sobol']` must have as many entries as there are pictures, 2, got 1.",
    ),
    (
        lambda: plot_comparison(IMAGES, {"Sobol": MAPS}, scores={"Sobel": {"Deletion": 1}}),
        ValueError,
        "`plot_comparison`: `scores` must name what is there, got 'Sobel'. Nearest: Sobol.",
    ),
    (
        lambda: plot_comparison(IMAGES, {"Sobol": MAPS}, scores={"Sobol": {"Deletion": [1, 2, 3]}}),
        ValueError,
        "scores['Sobol']['Deletion'] must be a number or have one for each of 2 pictures, got shape (3,). Give the",
    ),
    (
        lambda: plot_comparison(
            IMAGES, {"Sobol": MAPS}, scores={"Sobol": {"Deletion": 1}}, better={"Deletio": "lower"}
        ),
        ValueError,
        "`better` must name what is there, got 'Deletio'. Nearest: Deletion.",
    ),
    (
        lambda: plot_comparison(IMAGES, {"Sobol": MAPS}, scores={"Sobol": {"Deletion": 1}}, better={"Deletion": "low"}),
        ValueError,
        "`better` must be one of 'higher', 'lower', got 'low'. Nearest: lower.",
    ),
    (
        lambda: plot_comparison(IMAGES, {"a": MAPS}, titles=["a"]),
        ValueError,
        "as many entries as there are pictures, 2",
    ),
    # curves
    (
        lambda: plot_curves({}),
        ValueError,
        "`plot_curves`: `curves` must hold at least one curve, got none. Give a name",
    ),
    (
        lambda: plot_curves({"a": X}),
        TypeError,
        "each curve must be a tuple (x, y) or (x, y, interval), got ndarray. Put x and y in one tuple.",
    ),
    (
        lambda: plot_curves({"a": (X, X[:3])}),
        ValueError,
        "x must be (k,) and y (k,) or (n, k), with k of at least 2, got x (5,) and y (3,). Give a height for each x",
    ),
    (
        lambda: plot_curves({"a": (X, X, (0.1, 0.2))}),
        ValueError,
        "interval must be (low, high), each (k,), got shape (2,) for x (5,). An interval of the area alone belongs",
    ),
    (lambda: plot_curves({"a": (X, X * np.nan)}), ValueError, "values must be finite and x increasing, got NaN or"),
    (
        lambda: plot_curves({"a": (X[::-1], X)}),
        ValueError,
        "values must be finite and x increasing, got x that does not",
    ),
    (lambda: plot_curves({"a": (X, X)}, labels="none"), ValueError, "`labels` must be one of 'direct', 'legend'"),
    (lambda: plot_curves({"a": (X, X)}, size=0), ValueError, "`size` must be a number in [0.2, 20], got 0."),
    # intervals
    (
        lambda: plot_intervals([], []),
        ValueError,
        "`values` must be (n,), n at least 1, got shape (0,). Give one number",
    ),
    (
        lambda: plot_intervals(["a"], [1.0, 2.0]),
        ValueError,
        "`names` must have as many entries as there are values, 2, got 1",
    ),
    (
        lambda: plot_intervals(["a"], [1.0], [1.0]),
        ValueError,
        "`intervals` must be (1, 2), got shape (1,). Give the low and the high end of each value.",
    ),
    (lambda: plot_intervals(["a"], [np.nan]), ValueError, "values must be finite, got NaN or infinity. Leave out what"),
]


@pytest.mark.parametrize(("call", "kind", "text"), CASES)
def test_message(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert text in str(caught.value)
