"""The user's model as every method sees it: logits forward, taps, and a split at a layer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import keras
import tensorflow as tf

from ..core.errors import ModelError, wording
from ..core.layout import Layout
from ..core.randomness import generator
from .callables import as_traceable, is_legacy_keras, settled
from .layers import find_layer, layers_of
from .preprocessing import as_preprocessing, declared_range
from .relu_rules import count_relus, ruled
from .taps import FinalActivation, final_activation_of, gradient_is_cut, tapped


class Notice(UserWarning):
    """Something that was decided for the user, said once."""


class ModelAccess:
    """How do I call this model, reach its layers and read its logits?

    Parameters
    ----------
    model : a Keras model of any kind, a legacy one, a SavedModel, or a callable for black-box methods.
    output_layer : the layer whose output is explained instead of the model's own: a name, a dotted path, a position
        or the layer. None explains the model's output, with a final softmax or sigmoid bypassed.
    preprocess : applied last, within the compiled step: a callable, `"tf"`, `"torch"`, `"caffe"` or None.

    Raises
    ------
    ModelError : an unknown layer, a backend other than TensorFlow, a layer that is no cut of the model.
    """

    def __init__(self, model: Any, output_layer: Any = None, preprocess: Any = None, where: str = "ModelAccess"):
        self.model = model
        self.where = where
        self.is_keras = isinstance(model, keras.layers.Layer)
        self._call = as_traceable(model, where)
        self._output = None if output_layer is None else find_layer(model, output_layer, where)
        self._preprocess = as_preprocessing(preprocess, where, self.channels_first)
        self.input_range = declared_range(model, preprocess)
        self.final_activation: str | None = None
        # Set by who sees the outputs: values that are probabilities already must not go through a softmax again.
        self.unrecognised_softmax = False
        self._template: Any = None
        self._said = False

    @property
    def differentiable(self) -> bool:
        """Whether gradients flow; a NumPy callable has none."""
        return self.is_keras or is_legacy_keras(self.model) or not hasattr(self._call, "host_only")

    @property
    def channels_first(self) -> bool:
        """Whether the model's first spatial layer reads `(n, c, h, w)`."""
        if not self.is_keras:
            return False
        formats = (getattr(layer, "data_format", None) for _, layer in layers_of(self.model))
        return next((form for form in formats if form), "channels_last") == "channels_first"

    def layout(self, sample: tuple[int, ...]) -> Layout:
        """Which axes of a sample are places and which is the channel."""
        return Layout(tuple(sample), self.channels_first and len(sample) == 3)

    def sample_shapes(self, named: bool = False) -> list[tuple[int | None, ...]] | None:
        """The shapes of one sample of each input, where the model tells them; `named` in the order of their names."""
        if not isinstance(self.model, keras.Model) or not getattr(self.model, "_functional", True):
            return None
        try:
            inputs = self.model.inputs
        except (AttributeError, ValueError):
            return None
        if not inputs:
            return None
        by_name = getattr(self.model, "_inputs_struct", None)
        if isinstance(by_name, dict):
            inputs = [by_name[name] for name in sorted(by_name)]
        elif named:
            inputs = sorted(inputs, key=lambda tensor: tensor.name)
        return [tuple(tensor.shape[1:]) for tensor in inputs]

    def ensure_ready(self, inputs: Any) -> None:
        """Builds an unbuilt model and finds out, once, whether a callable eats tensors or NumPy arrays.

        Parameters
        ----------
        inputs : a tree of arrays, at least one sample.
        """
        first = tf.nest.map_structure(lambda leaf: tf.convert_to_tensor(leaf[:1]), inputs)
        self._template = tf.nest.map_structure(lambda leaf: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype), first)
        if self.is_keras:
            if not getattr(self.model, "built", True):
                self._call(self._prepared(first))
        elif not is_legacy_keras(self.model) and not hasattr(self.model, "signatures"):
            self._call = settled(self._call, first, self._prepared)

    def forward(self, inputs: Any) -> Any:
        """Logits (or what `output_layer` gives) in float32; for one sigmoid unit, `(-logit, logit)`."""
        return self._forward(inputs)[0]

    def probabilities(self, inputs: Any) -> Any:
        """Probabilities of a Keras classifier; a plain callable's values as they are."""
        logits, activation = self._forward(inputs)
        if (
            not self.is_keras
            or self.unrecognised_softmax
            or activation == "kept"
            or not hasattr(logits, "shape")
            or len(logits.shape) != 2
            or logits.shape[-1] == 1
        ):
            return logits
        if activation == "sigmoid":
            return tf.sigmoid(logits)
        return tf.nn.softmax(logits, axis=-1)

    def _forward(self, inputs: Any) -> tuple[Any, str | None]:
        prepared = self._prepared(inputs)
        if self._output is not None:
            layer, call = self._output
            with tapped(layer, call, lambda outputs: outputs) as noted:
                self._call(prepared)
            # What comes after the layer is not asked for: an activation of its own has been applied already.
            return _as_float(self._only(noted, layer)), "kept" if final_activation_of(layer) else None
        if not self.is_keras:
            return _as_float(self._call(prepared)), None
        with FinalActivation().watching(self.model) as final:
            outputs = self._call(prepared)
        if isinstance(outputs, list | tuple | dict):
            return _as_float(outputs), None
        activation, logits = final.logits_of(outputs)
        return self._from_activation(activation, _as_float(logits))

    def _from_activation(self, activation: str | None, logits: Any) -> tuple[Any, str | None]:
        self.final_activation = activation
        if activation is not None and not self._said:
            self._said = True
            warnings.warn(
                f"the final {activation} of {getattr(self.model, 'name', 'the model')} is bypassed: maps explain the "
                "logit. Pass output_layer= (or score= to a metric) to keep control.",
                Notice,
                stacklevel=2,
            )
        if activation == "sigmoid" and len(logits.shape) == 2 and logits.shape[-1] == 1:
            # Class 1 is the logit, class 0 its negative; a sigmoid of each gives both probabilities.
            logits = tf.concat([-logits, logits], axis=-1)
        return logits, activation

    def tap(self, layer: Any) -> Callable[[Any], tuple[Any, Any]]:
        """A function from inputs to `(activations of the layer, outputs)`, for gradients by a tape on the inputs.

        Parameters
        ----------
        layer : a layer as `find_layer` takes it, or a list of them, whose activations are then a list.
        """
        several = isinstance(layer, list | tuple)
        wanted = [find_layer(self.model, each, self.where) for each in (layer if several else [layer])]

        def run(inputs: Any) -> tuple[Any, Any]:
            with ExitStack() as stack:
                kept = [
                    stack.enter_context(tapped(found, call, lambda out: tf.nest.map_structure(tf.identity, out)))
                    for found, call in wanted
                ]
                outputs = self.forward(inputs)
            noted = [self._only(each, found) for each, (found, _) in zip(kept, wanted, strict=True)]
            return noted if several else noted[0], outputs

        return run

    def path_of(self, layer: Any) -> tuple[str, int]:
        """The dotted path of a layer as `find_layer` takes it, and which of its calls."""
        found, call = find_layer(self.model, layer, self.where)
        return next(path for path, each in layers_of(self.model) if each is found), call

    def rectified(self, rule: str) -> Any:
        """A context in which the gradient of every ReLU of the model follows a rule; see `relu_rules`."""
        return ruled(self.model, rule)

    @cached_property
    def relus(self) -> tuple[int, int]:
        """How many ReLUs of the model a rule reaches, and how many it does not."""
        return count_relus(self.model, lambda: self.forward(self.trial_inputs()))

    def trial_inputs(self) -> Any:
        """One noisy sample, to learn about a model before any data is shown."""
        if self._template is None:
            self._unused_inputs(1)
        low, high = self.input_range or (0.0, 1.0)
        noise = generator(0, 13)

        def one(spec: tf.TensorSpec) -> Any:
            shape: Any = [1, *spec.shape[1:]]
            return tf.cast(noise.uniform(low, high, shape), spec.dtype)

        with tf.init_scope():
            return tf.nest.map_structure(one, self._template)

    def split(self, layer: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        """Two functions `g, h` with `forward(x) = h(g(x))`.

        `h` traces the whole model with the layer's output replaced by its argument; what comes before is then
        unused, and pruned. If the outputs still depend on the inputs the layer is no cut.

        Raises
        ------
        ModelError : a path leads around the layer.
        """
        found, call = find_layer(self.model, layer, self.where)

        def before(inputs: Any) -> Any:
            with tapped(found, call, lambda outputs: outputs) as noted:
                self._call(self._prepared(inputs))
            return self._only(noted, found)

        def after(activations: Any) -> Any:
            unused = self._unused_inputs(tf.shape(activations)[0])
            with tf.GradientTape() as tape:
                tape.watch(unused)
                with tapped(found, call, lambda _: activations, replace=True) as noted:
                    outputs = self.forward(unused)
            self._only(noted, found)
            if not gradient_is_cut(tape, outputs, unused):
                raise ModelError(
                    wording(
                        f"{self.where}: split({found.name})",
                        expected="every path from the inputs to the outputs must pass through the layer",
                        received="a path around it",
                        remedy="Choose a later layer, such as one after the block's addition.",
                    )
                )
            return outputs

        return before, after

    def _unused_inputs(self, count: Any) -> Any:
        if self._template is None:
            shapes = self.sample_shapes()
            if shapes is None or len(shapes) != 1 or None in shapes[0]:
                raise ModelError(
                    wording(
                        self.where,
                        expected="the shape of the inputs must be known before the second half runs",
                        received="a model that does not tell it",
                        remedy="Explain an input first, or call ensure_ready(inputs) of a ModelAccess.",
                    )
                )
            self._template = tf.TensorSpec((None, *shapes[0]), tf.float32)
        return tf.nest.map_structure(
            lambda spec: tf.zeros(tf.concat([[count], spec.shape[1:]], axis=0), spec.dtype), self._template
        )

    def _prepared(self, inputs: Any) -> Any:
        return inputs if self._preprocess is None else self._preprocess(inputs)

    def _only(self, noted: list[Any], layer: Any) -> Any:
        if noted:
            return noted[0]
        raise ModelError(
            wording(
                self.where,
                expected="the layer must be called when the model is",
                received=f"{layer.name!r}, unused",
                remedy="Choose another layer, or a lower number after the colon.",
            )
        )


def _as_float(outputs: Any) -> Any:
    def cast(leaf: Any) -> Any:
        leaf = tf.convert_to_tensor(leaf)
        return tf.cast(leaf, tf.float32) if leaf.dtype.is_floating else leaf

    return tf.nest.map_structure(cast, outputs)
