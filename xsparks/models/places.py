"""Layers whose answer is laid out in space: where a class activation map can be read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Place:
    """A layer whose answer is laid out in space.

    Parameters
    ----------
    name : dotted path, with `":1"` for the second call of a shared layer.
    grid : cells of its answer along the axes of space: rows and columns, or steps of a series.
    arrangement : `"last"` for `(b, rows, columns, c)`, `"first"` for `(b, c, rows, columns)`, `"tokens"` for
        `(b, extra + rows * columns, c)`, `"steps"` for `(b, steps, c)`.
    extra : tokens that belong to no place, before the others.
    repeats : whether it repeats, pools or pads what another layer answered.
    reached : whether the outputs of a noisy sample depend on it.
    """

    name: str
    grid: tuple[int, ...]
    arrangement: str
    extra: int = 0
    repeats: bool = False
    reached: bool = True

    def on_grid(self, activations: Any) -> Any:
        """Activations as `(b, rows, columns, c)`; steps as `(b, steps, 1, c)`."""
        if self.arrangement == "first":
            return tf.transpose(activations, (0, 2, 3, 1))
        if self.arrangement == "tokens":
            return tf.reshape(activations[:, self.extra :], (-1, *self.grid, activations.shape[-1]))
        return activations[:, :, None] if self.arrangement == "steps" else activations


def place_of(places: list[Place], access: ModelAccess, layer: Any) -> Place:
    """The place that a user means: a layer by name, path, position or itself; None for the last that counts.

    Parameters
    ----------
    places : all of the model, in the order in which they answer.

    Raises
    ------
    ModelError : the layer's answer is not laid out in space, or no layer's is.
    """
    own = own_places(places)
    if layer is None:
        reached = [place for place in own if place.reached] or own
        if not reached:
            raise ModelError(
                wording(
                    access.where,
                    expected="a layer of the model must answer with something laid out in space",
                    received="no such layer",
                    remedy="Use a method that needs no layer, such as IntegratedGradients or RISE.",
                )
            )
        return reached[-1]
    path, call = access.path_of(layer)
    wanted = path if call == 0 else f"{path}:{call}"
    chosen = [place for place in places if place.name == wanted]
    if not chosen:
        names = ", ".join(place.name for place in own[-3:])
        raise ModelError(
            wording(
                f"{access.where}(layer={layer!r})",
                expected="the layer must answer with something laid out in space, such as (b, rows, columns, channels)",
                received=f"{wanted}, which does not",
                remedy=f"Layers that do, the last ones: {names}." if names else "Use a method that needs no layer.",
            )
        )
    return chosen[-1]


def own_places(places: list[Place]) -> list[Place]:
    """Without layers that only repeat, pool or pad what another layer answered."""
    return [place for place in places if not place.repeats]


def read_places(access: ModelAccess, inputs: Any) -> tuple[list[Place], Any]:
    """Every layer that answers with something laid out in space, in the order in which they answer, and for each
    whether the outputs of these inputs depend on it, `(places,)` bool. To be called while a graph is built.
    """
    # The explained image is the input of the highest rank; tables beside it have no places.
    layout = access.layout(max((tuple(leaf.shape[1:]) for leaf in tf.nest.flatten(inputs)), key=len))
    with _listening(access.model) as noted:
        outputs = [leaf for leaf in tf.nest.flatten(access.forward(inputs)) if leaf.dtype.is_floating]
        total = tf.add_n([tf.reduce_sum(tf.cast(leaf, tf.float32) ** 2) for leaf in outputs])
    found, seen = [], set()
    for name, layer, answer in noted:
        arranged = _arrangement(layer, tuple(answer.shape[1:]), layout)
        if arranged is not None:
            repeats = id(answer) in seen or any(word in type(layer).__name__ for word in _PASSED_OVER)
            found.append((Place(name, *arranged, repeats=repeats), answer))
        seen.add(id(answer))
    # No tape records within tf.init_scope, where this runs when an explainer is called from a graph.
    slopes = tf.gradients(total, [answer for _, answer in found]) if found else []
    places = [place for place, _ in found]
    # A class token read alone leaves the tokens of the last block without any influence.
    reached = [
        tf.constant(False) if slope is None else tf.reduce_any(place.on_grid(tf.convert_to_tensor(slope)) != 0)
        for place, slope in zip(places, slopes, strict=True)
    ]
    return places, tf.stack(reached) if reached else tf.zeros([0], tf.bool)


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


def _arrangement(layer: Any, shape: tuple[int | None, ...], layout: Any) -> tuple[tuple[int, ...], str, int] | None:
    if None in shape:
        return None
    sizes = tuple(int(size) for size in shape if size is not None)
    if layout.kind == "series" and len(sizes) == 2 and 1 < sizes[0] <= layout.spatial[0]:
        return (sizes[0],), "steps", 0
    if layout.kind != "image":
        return None
    if len(sizes) == 3:
        first = getattr(layer, "data_format", "channels_last") == "channels_first"
        for arrangement, grid in (("first", sizes[1:]), ("last", sizes[:2])) if first else (("last", sizes[:2]),):
            if _fits(grid, layout.spatial):
                return grid, arrangement, 0
    if len(sizes) == 2:
        for extra in range(MOST_EXTRA_TOKENS + 1):
            grid = _token_grid(sizes[0] - extra, layout.spatial)
            if grid is not None:
                return grid, "tokens", extra
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
