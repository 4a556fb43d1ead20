"""`xsparks evaluate`: methods beside each other by many metrics, in a table and a figure."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.errors import ModelError, wording
from .image_files import ImageFile, check_images, decode, display_path, find_images, read_bytes
from .image_labels import labels_of, masks_of, read_labels
from .methods import check_options, parse_named
from .model_files import Loaded, import_function, load_model, model_kind
from .quiet_start import import_tensorflow

if TYPE_CHECKING:
    from ..engine import Explainer

DEFAULT_MODEL = "shapes"
_DEFAULT_COUNT = 12


class Data(NamedTuple):
    """What is explained: images, their classes or None, the masks of their objects or None, and names."""

    images: np.ndarray
    targets: np.ndarray | None
    regions: np.ndarray | None
    names: list[str]


def evaluate(options: Namespace) -> int:
    """Measures the methods that the options name and writes the results; returns the exit code."""
    asked_methods = parse_named(options.methods, "--methods")
    asked_metrics = parse_named(options.metrics, "--metrics")
    own_data = options.model == DEFAULT_MODEL and not Path(DEFAULT_MODEL).exists()
    files, labels = ([], None) if own_data else _checked(options)
    start = time.monotonic()
    import_tensorflow()
    from ..attributions.catalogue import method_named
    from ..evaluation import Benchmark
    from ..metrics.catalogue import make_metric, metric_named

    methods = [(method_named(name, f"--methods {name}"), own) for name, own in asked_methods]
    metrics = [(metric_named(name, f"--metrics {name}"), own) for name, own in asked_metrics]
    for kind, own in (*methods, *metrics):
        check_options(kind, own, f"{kind.__name__}: ")
    loaded, preprocess = _loaded(options, own_data), options.preprocess
    if preprocess is not None and ":" in preprocess:
        preprocess = import_function(preprocess, "--preprocess")
    shared = {"preprocess": preprocess, "batch_size": options.batch_size, "seed": options.seed, "progress": False}

    def build(kind: Any, own: dict[str, Any]) -> Explainer:
        return kind(loaded.model, **shared, **own)

    explainers = _by_name(methods, build)
    data = _shapes(options) if own_data else _read(options, next(iter(explainers.values())), files, labels)
    shared["regions"] = data.regions

    def measure(kind: Any, own: dict[str, Any]) -> Any:
        known = {name: value for name, value in {**shared, **own}.items() if value is not None}
        return make_metric(kind, loaded.model, data.images, data.targets, known, "xsparks evaluate")

    bench = Benchmark(
        explainers,
        _by_name(metrics, measure),
        controls=not options.no_controls,
        seed=options.seed,
        progress=False if options.quiet else None,
        about={"file of the model": loaded.digest},
    )
    _tell(options, _opening_line(bench, data))
    result = bench.run(data.images, data.targets, out=options.out, names=data.names)
    if not options.quiet:
        print(result.table("text"), flush=True)
    seconds = time.monotonic() - start
    _tell(options, f"\n{len(data.names)} images in {seconds:.0f} s. Open {Path(options.out) / 'leaderboard.png'}")
    return 0


def _checked(options: Namespace) -> tuple[list[ImageFile], dict[str, int] | None]:
    """The image files and the table of classes: mistakes in them are found before TensorFlow starts."""
    model_kind(options.model)
    if not options.images:
        raise ValueError(
            wording(
                "xsparks evaluate",
                expected="IMAGES must name at least one file or folder",
                received="none",
                remedy=f"Only the model {DEFAULT_MODEL!r} brings pictures of its own.",
            )
        )
    labels = None if options.labels is None else read_labels(options.labels)
    found = find_images(options.images, Path(options.out))[: options.count]
    files, unreadable = check_images(found, options.skip_unreadable)
    for skipped in unreadable:
        print(f"xsparks: skipped {display_path(skipped.path)}: {skipped.reason}", file=sys.stderr, flush=True)
    return files, labels


def _loaded(options: Namespace, own_data: bool) -> Loaded:
    if not own_data:
        return load_model(options.model)
    from ..datasets import shapes

    return Loaded(shapes.load_model(), DEFAULT_MODEL, "embedded model", "")


def _shapes(options: Namespace) -> Data:
    """Pictures of the embedded data set, which know their classes and masks."""
    from ..datasets import shapes

    if options.images or options.labels or options.masks:
        raise ValueError(
            wording(
                "xsparks evaluate",
                expected=f"the model {DEFAULT_MODEL!r} must be used with its own pictures",
                received="others",
                remedy="Leave IMAGES, --labels and --masks out, or name a model file.",
            )
        )
    data = shapes.load(options.count or _DEFAULT_COUNT, seed=options.seed)
    return Data(data.images, data.labels, data.masks, [f"shape {number}" for number in range(len(data))])


def _read(options: Namespace, explainer: Explainer, files: Sequence[ImageFile], labels: dict[str, int] | None) -> Data:
    """The images as the model reads them."""
    from .model_input import as_model_reads, input_shape

    shape = input_shape(explainer, options.size, "xsparks evaluate")
    images = np.stack([as_model_reads(decode(read_bytes(file.path)), shape, options.squash) for file in files])
    targets = None if labels is None else labels_of(files, labels, options.labels)
    regions = None if options.masks is None else masks_of(files, Path(options.masks), shape, options.squash)
    return Data(images, targets, regions, [display_path(file.path) for file in files])


def _by_name(asked: Sequence[tuple[Any, dict[str, Any]]], make: Callable[[Any, dict[str, Any]], Any]) -> dict[str, Any]:
    """What is asked for by the name of its class, with its options where there are several of a class."""
    kinds = [kind for kind, _ in asked]
    found = {}
    for kind, own in asked:
        told = ", ".join(f"{name}={value}" for name, value in own.items())
        name = f"{kind.__name__} {told}".strip() if kinds.count(kind) > 1 else kind.__name__
        found[name] = make(kind, own)
    return found


def _opening_line(bench: Any, data: Data) -> str:
    """What is to be done, and how often the model is asked for one image."""
    from ..engine import MapMetric

    forwards, sample = 0, data.images[:1].astype(np.float32)
    for explainer in bench.methods.values():
        try:
            explainer.access.ensure_ready(sample)
            forwards += explainer.cost(sample.shape[1:], explainer.engine.output_spec(sample)).forwards
        except ModelError:
            # The table will say why.
            continue
    measured = 0
    for metric in bench.measures.values():
        if isinstance(metric, MapMetric):
            metric.access.ensure_ready(sample)
            measured += metric.forwards(sample)
    rows = len(bench.methods) + len(bench._asked_controls)
    return (
        f"{len(data.images)} images, {len(bench.methods)} methods, {len(bench.measures)} metrics: some "
        f"{forwards + rows * measured:,} forwards an image, at most"
    )


def _tell(options: Namespace, text: str) -> None:
    if not options.quiet:
        print(text, flush=True)
