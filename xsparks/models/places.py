"""Layers whose answer is laid out in space: where a class activation map can be read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ..core.errors import ModelError, wording
from .layers import layers_of
from .taps import TRACING, replaced

if TYPE_CHECKING:
    from .access import ModelAccess

# Tokens that stand before those of the patches: a class token, one for distillation, registers.
MOST_EXTRA_TOKENS = 8
# What these answer repeats what they were given, or is no feature; the layer before them is meant.
_PASSED_OVER = ("Pooling", "Dropout", "Padding", "Cropping", "UpSampling", "Reshape", "Permute", "Flatten", "Softmax")
Reshape = Callable[[Any], Any]


@dataclass(frozen=True)
class Place:
    """A layer whose answer is laid out in space.

    Parameters
    ----------
    name : dotted path, with `":1"` for the second call of a shared layer.
    grid : cells of its answer along the axes of space: rows and columns, or steps of a series; empty where it answers
        with tokens whose rows and columns are not known.
    arrangement : `"last"` for `(b, rows, columns, c)`, `"first"` for `(b, c, rows, columns)`, `"tokens"` for
        `(b, extra + rows * columns, c)`, `"steps"` for `(b, steps, c)`.
    shape : of its answer to one sample.
    extra : tokens that belong to no place, before the others.
    repeats : whether it repeats, pools or pads what another layer answered, or is still the picture itself.
    reached : whether the outputs of a noisy sample depend on it.
    reshape : what lays its tokens out, `(b, n, c) -> (b, rows, columns, c)`; None for row by row.
    """

    name: str
    grid: tuple[int, ...]
    arrangement: str
    shape: tuple[int, ...]
    extra: int = 0
    repeats: bool = False
    reached: bool = True
    reshape: Reshape | None = None

    @property
    def channels(self) -> int:
        """Numbers at each place."""
        return self.shape[0] if self.arrangement == "first" else self.shape[-1]

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of its grid; a series has one column."""
        return (self.grid[0], self.grid[1]) if len(self.grid) == 2 else (self.grid[0], 1)

    def on_grid(self, activations: Any) -> Any:
        """Activations as `(b, rows, columns, c)`; steps as `(b, steps, 1, c)`."""
        if self.reshape is not None:
            return tf.ensure_shape(self.reshape(activations), (None, *self.grid, self.channels))
        if self.arrangement == "first":
            return tf.transpose(activations, (0, 2, 3, 1))
        if self.arrangement == "tokens":
            return tf.reshape(activations[:, self.extra :], (-1, *self.grid, activations.shape[-1]))
        return activations[:, :, None] if self.arrangement == "steps" else activations


def place_of(places: list[Place], access: ModelAccess, layer: Any, reshape: Reshape | None = None) -> Place:
    """The place that a user means: a layer by name, path, position or itself; None for the last that counts.

    Parameters
    ----------
    places : all of the model, in the order in which they answer.
    reshape : what lays the tokens of the layer out, `(b, n, c) -> (b, rows, columns, c)`, where their rows and columns
        are not known; None for layers whose grid is known.

    Raises
    ------
    ModelError : the layer's answer is not laid out in space, or no layer's is.
    ValueError : `reshape` does not answer with a grid.
    """
    fitting = [place for place in places if (place.grid if reshape is None else place.arrangement == "tokens")]
    own = [place for place in fitting if not place.repeats]
    wanted = "something laid out in space" if reshape is None else "tokens (b, n, c), as `reshape` is given"
    if layer is None:
        reached = [place for place in own if place.reached] or own
        if not reached:
            raise ModelError(
                wording(
                    access.where,
                    expected=f"a layer of the model must answer with {wanted}",
                    received="no such layer",
                    remedy="Use a method that needs no layer, such as IntegratedGradients or RISE."
                    if reshape is None
                    else "Leave `reshape` out.",
                )
            )
        return _laid_out(reached[-1], reshape, access)
    path, call = access.path_of(layer)
    name = path if call == 0 else f"{path}:{call}"
    chosen = [place for place in fitting if place.name == name]
    if not chosen:
        names = ", ".join(place.name for place in own[-3:])
        remedy = f"Layers that do, the last ones: {names}." if names else "Use a method that needs no layer."
        if reshape is None and any(place.name == name for place in places):
            remedy = "Pass reshape=, a function from its tokens (b, n, c) to (b, rows, columns, c)."
        raise ModelError(
            wording(
                f"{access.where}(layer={layer!r})",
                expected=f"the layer must answer with {wanted}",
                received=f"{name}, which does not",
                remedy=remedy,
            )
        )
    return _laid_out(chosen[-1], reshape, access)


def _laid_out(place: Place, reshape: Reshape | None, access: ModelAccess) -> Place:
    """The place with the grid that `reshape` gives its tokens."""
    if reshape is None:
        return place
    with tf.init_scope():
        shape = tuple(tf.convert_to_tensor(reshape(tf.zeros((1, *place.shape)))).shape)
    if len(shape) != 4 or shape[0] != 1:
        raise ValueError(
            wording(
                f"{access.where}(reshape=...)",
                expected=f"`reshape` must lay {place.shape[0]} tokens of {place.name} out as (b, rows, columns, c)",
                received=f"shape {shape}",
                remedy="Drop the class token first: tokens[:, 1:].",
            )
        )
    return replace(place, grid=shape[1:3], shape=shape[1:], reshape=reshape)


def own_places(places: list[Place]) -> list[Place]:
    """Those with a grid, without layers that only repeat, pool or pad what another layer answered."""
    return [place for place in places if place.grid and not place.repeats]


def last_of_each_grid(places: list[Place]) -> list[Place]:
    """Of those that the outputs depend on, the last of each resolution."""
    reached = [place for place in own_places(places) if place.reached]
    last = {place.grid: place for place in reached}
    return [place for place in reached if last[place.grid] is place]


def read_places(access: ModelAccess, inputs: Any) -> tuple[list[Place], Any]:
    """Every layer that answers with something laid out in space, in the order in which they answer, and for each
    whether the outputs of these inputs depend on it, `(places,)` bool. To be called while a graph is built.
    """
    # The explained image is the input of the highest rank; tables beside it have no places.
    layout = access.layout(max((tuple(leaf.shape[1:]) for leaf in tf.nest.flatten(inputs)), key=len))
    with _listening(access.model) as noted:
        outputs = [leaf for leaf in tf.nest.flatten(access.forward(inputs)) if leaf.dtype.is_floating]
        total = tf.add_n([tf.reduce_sum(tf.cast(leaf, tf.float32) ** 2) for leaf in outputs])
    # Before the first layer with filters an answer is still the picture: rescaled, padded, cut.
    picture = next((number for number, (_, layer, _) in enumerate(noted) if _has_filters(layer)), 0)
    found, seen, form = [], set(), "channels_last"
    for number, (name, layer, answer) in enumerate(noted):
        # A layer that does not say where its channels are has them where the layer before it had them.
        form = (getattr(layer, "data_format", None) if len(answer.shape) == 4 else None) or form
        arranged = _arrangement(form, tuple(answer.shape[1:]), layout)
        if arranged is not None:
            passed = any(word in type(layer).__name__ for word in _PASSED_OVER)
            repeats = id(answer) in seen or passed or number < picture
            grid, arrangement, extra = arranged
            found.append((Place(name, grid, arrangement, tuple(answer.shape[1:]), extra, repeats), answer))
        seen.add(id(answer))
    # No tape records within tf.init_scope, where this runs when an explainer is called from a graph.
    slopes = tf.gradients(total, [answer for _, answer in found]) if found else []
    places = [place for place, _ in found]
    samples = tf.shape(tf.nest.flatten(inputs)[0])[0]
    reached = [
        tf.constant(False) if slope is None else _matters(place, slope, samples)
        for place, slope in zip(places, slopes, strict=True)
    ]
    return places, tf.stack(reached) if reached else tf.zeros([0], tf.bool)


def _matters(place: Place, slope: Any, samples: Any) -> Any:
    """Whether a place has a slope. A class token read alone leaves the patches of the last block without any; layers
    that look through windows answer for more samples than there are.
    """
    slope = tf.convert_to_tensor(slope)
    # Without the tokens that belong to no place, as far as they are known.
    slope = place.on_grid(slope) if place.grid else slope[:, min(MOST_EXTRA_TOKENS, place.shape[0] - 1) :]
    return tf.reduce_any(slope != 0) & (tf.shape(slope)[0] == samples)


def _has_filters(layer: Any) -> bool:
    return any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))


@contextmanager
def _listening(model: Any) -> Iterator[list[tuple[str, Any, Any]]]:
    """Notes `(name, layer, answer)` of every layer that is called, in the order in which they answer."""
    noted: list[tuple[str, Any, Any]] = []
    calls: dict[str, int] = {}

    def listening(path: str, layer: Any) -> Callable[..., Any]:
        original = layer.call

        @functools.wraps(original)
        def call(*arguments: Any, **options: Any) -> Any:
            number = calls.get(path, 0)
            calls[path] = number + 1
            answer = original(*arguments, **options)
            if hasattr(answer, "shape") and answer.dtype.is_floating:
                noted.append((path if number == 0 else f"{path}:{number}", layer, answer))
            return answer

        return call

    inside_attention: tuple[str, ...] = ()
    with TRACING, ExitStack() as stack:
        for path, layer in layers_of(model):
            if path.startswith(inside_attention):
                # Heads beside places are no picture.
                continue
            if "Attention" in type(layer).__name__:
                inside_attention = (*inside_attention, path + ".")
            stack.enter_context(replaced(layer, "call", listening(path, layer)))
        yield noted


def _arrangement(form: str, shape: tuple[int | None, ...], layout: Any) -> tuple[tuple[int, ...], str, int] | None:
    if None in shape:
        return None
    sizes = tuple(int(size) for size in shape if size is not None)
    if layout.kind == "series" and len(sizes) == 2 and 1 < sizes[0] <= layout.spatial[0]:
        return (sizes[0],), "steps", 0
    if layout.kind != "image":
        return None
    if len(sizes) == 3:
        candidates = [("last", sizes[:2])]
        if form == "channels_first":
            candidates.insert(0, ("first", sizes[1:]))
        for arrangement, grid in candidates:
            if _fits(grid, layout.spatial):
                return grid, arrangement, 0
    if len(sizes) == 2 and sizes[0] > 1:
        for extra in range(MOST_EXTRA_TOKENS + 1):
            grid = _token_grid(sizes[0] - extra, layout.spatial)
            if grid is not None:
                return grid, "tokens", extra
        return (), "tokens", 0
    return None


def _fits(grid: tuple[int, ...], picture: tuple[int, ...]) -> bool:
    """Whether a grid may be the picture on a coarser scale: more than one cell each way, and nearly its proportions."""
    (rows, columns), (height, width) = grid, picture
    proportional = abs(rows * width / height - columns) <= max(2, columns / 2)
    return 1 < rows <= height and 1 < columns <= width and proportional


def _token_grid(tokens: int, picture: tuple[int, ...]) -> tuple[int, int] | None:
    """Rows and columns of so many patches, with exactly the proportions of the picture."""
    height, width = picture
    for rows in range(2, tokens // 2 + 1):
        columns, rest = divmod(tokens, rows)
        if rest == 0 and rows * width == columns * height and rows <= height and columns > 1:
            return rows, columns
    return None
