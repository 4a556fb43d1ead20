"""`xsparks explain`: a map for each image, and one page and one record for all of them."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..core.errors import wording
from .class_names import ClassName, load_class_names, target_id
from .image_files import ImageFile, Unreadable, check_images, decode, display_path, find_images, names_for, read_bytes
from .methods import check_options, parse_options
from .model_files import Loaded, import_function, load_model, model_kind
from .quiet_start import import_tensorflow

if TYPE_CHECKING:
    from ..engine import Explainer
    from .model_input import InputShape
    from .results import Results

_ALIKE = 1e-3  # how far from 1 the sum of probabilities may be


@dataclass
class Run:
    """Everything that is known before the first image is explained, and the records of those that are."""

    options: Namespace
    files: list[ImageFile]
    unreadable: list[Unreadable]
    names: list[ClassName] | None
    target: int | None
    results: Results
    loaded: Loaded
    explainer: Explainer
    shape: InputShape
    classes: int | None = None
    forwards: int = 0
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.monotonic)

    def fingerprint(self, file: ImageFile) -> dict[str, Any]:
        """All that can change the results of an image."""
        from ..engine.record import settings_of

        return {
            "xsparks": __version__,
            "method": type(self.explainer).__name__,
            "settings": settings_of(self.explainer),
            "preprocess": self.options.preprocess,
            "model": self.loaded.digest,
            "input": list(self.shape),
            "squash": self.options.squash,
            "target": self.target,
            "image": file.digest,
        }


def explain(options: Namespace) -> int:
    """Explains the images that the options name and writes the results; returns the exit code."""
    run = _prepared(options)
    named = dict(zip(names_for(run.files), run.files, strict=True))
    try:
        _explain_all(run, named)
    except KeyboardInterrupt as interrupted:
        if run.records:
            _write_overview(run, named, complete=False)
        raise KeyboardInterrupt(_kept(run, len(named))) from interrupted
    page = _write_overview(run, named, complete=True)
    for skipped in run.unreadable:
        _warn(f"skipped {display_path(skipped.path)}: {skipped.reason}")
    _tell(options, _closing_line(run, page))
    return 0


def _prepared(options: Namespace) -> Run:
    """Checks everything that can be checked, the cheap and likely mistakes first."""
    out = Path(options.out)
    model_kind(options.model)
    chosen = parse_options(options.set)
    names = None if options.class_names is None else load_class_names(Path(options.class_names))
    target = None if options.target is None else target_id(options.target, names)
    files, unreadable = check_images(find_images(options.images, out), options.skip_unreadable)
    from .results import Results

    results = Results(out)
    import_tensorflow()
    from ..attributions.catalogue import method_named
    from .model_input import input_shape

    method = method_named(options.method, f"--method {options.method}")
    check_options(method, chosen)
    preprocess = options.preprocess
    if preprocess is not None and ":" in preprocess:
        preprocess = import_function(preprocess, "--preprocess")
    loaded = load_model(options.model)
    shown = False if options.quiet else None
    batch_size, seed = options.batch_size, options.seed
    explainer = method(loaded.model, preprocess=preprocess, batch_size=batch_size, seed=seed, progress=shown, **chosen)
    shape = input_shape(explainer, options.size)
    run = Run(options, files, unreadable, names, target, results, loaded, explainer, shape)
    _look_at_model(run)
    return run


def _look_at_model(run: Run) -> None:
    """The number of classes, the cost of a map, and a word about values where nothing says what the model eats."""
    first = _inputs(run, run.files[:1])
    run.explainer.access.ensure_ready(first)
    outputs = run.explainer.engine.output_spec(first)
    run.forwards = run.explainer.cost(first.shape[1:], outputs).forwards
    if run.explainer.output_layer is None and getattr(outputs, "shape", None) is not None and len(outputs.shape) == 2:
        run.classes = outputs.shape[-1]
    if run.names is not None and run.classes is not None and len(run.names) != run.classes:
        raise ValueError(
            wording(
                f"--class-names {run.options.class_names}",
                expected=f"there must be one name for each of the {run.classes} outputs of the model",
                received=f"{len(run.names)} names",
                remedy="Look for a class such as `background` that only one of them has; it would shift all names.",
            )
        )
    keras_file = "file" in run.loaded.kind
    if keras_file and run.options.preprocess is None and run.explainer.access.input_range is None:
        _warn(
            "note: the model gets values from 0 to 255, and no layer of it says that it expects them. If its answers "
            "are odd, pass --preprocess as in its training."
        )


def _explain_all(run: Run, named: dict[str, ImageFile]) -> None:
    from ..engine.schedule import group_size
    from .results import fingerprint_of

    waiting = []
    for name, file in named.items():
        known = run.results.finished(name, fingerprint_of(run.fingerprint(file)))
        if known is None:
            waiting.append(name)
        else:
            run.records[name] = known
            run.reused.add(name)
    if run.reused:
        _tell(run.options, f"{len(run.reused)} of {len(named)} images were finished before and are used again")
    size = group_size(run.forwards, run.explainer.engine.batch_size, smallest=1)
    for names in _groups(waiting, size):
        _explain_group(run, names, [named[name] for name in names], len(named))


def _groups(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _inputs(run: Run, files: Sequence[ImageFile]) -> np.ndarray:
    from .model_input import as_model_reads

    pictures = [decode(read_bytes(file.path)) for file in files]
    return np.stack([as_model_reads(picture, run.shape, run.options.squash) for picture in pictures]).astype(np.float32)


def _explain_group(run: Run, names: Sequence[str], files: Sequence[ImageFile], total: int) -> None:
    """Explains some images together and writes each as soon as it is known."""
    from .model_input import as_people_see
    from .results import SCHEMA, fingerprint_of

    start = time.monotonic()
    inputs = _inputs(run, files)
    explanation = run.explainer.explain(inputs, run.target)
    answers = class_probabilities(run.explainer, inputs)
    seconds = (time.monotonic() - start) / len(names)
    for position, (name, file) in enumerate(zip(names, files, strict=True)):
        part = explanation[position : position + 1]
        target = int(part.targets[0]) if np.ndim(part.targets) == 1 else None
        forwards = part.extras.get("forwards")
        record = {
            "kind": "xsparks image",
            "schema": SCHEMA,
            "fingerprint": fingerprint_of(run.fingerprint(file)),
            "image_digest": file.digest,
            "target": target,
            "score": float(part.scores[0]),
            "predicted": None if answers is None else int(np.argmax(answers[position])),
            "probability": None if answers is None or target is None else float(answers[position][target]),
            "forwards": run.forwards if forwards is None else int(forwards[0]),
            "seconds": round(seconds, 3),
        }
        picture = as_people_see(decode(read_bytes(file.path)), run.shape, run.options.squash)
        run.records[name] = run.results.write(name, record, picture, part)
        _tell(run.options, _line(run, name, len(run.records), total))


def class_probabilities(explainer: Explainer, inputs: np.ndarray) -> np.ndarray | None:
    """The probabilities of all classes `(m, classes)`, None where the model's answers are no probabilities."""
    if explainer.output_layer is not None or explainer.operator not in (None, "classification"):
        return None
    values = np.asarray(explainer.engine.in_graph(explainer.access.probabilities, inputs))
    if values.ndim != 2 or values.shape[1] < 2 or values.min() < 0 or values.max() > 1 + _ALIKE:
        return None
    sums_to_one = np.allclose(values.sum(axis=1), 1, atol=_ALIKE)
    return values if sums_to_one or explainer.access.final_activation == "sigmoid" else None


def _write_overview(run: Run, named: dict[str, ImageFile], complete: bool) -> Path:
    from .overview import overview_page, run_record

    record = run_record(run, named, complete)
    return run.results.write_overview(record, overview_page(record))


def _kept(run: Run, total: int) -> str:
    if not run.records:
        return "No image was finished yet."
    return (
        f"{len(run.records)} of {total} images are finished and kept in {run.results.folder}; the same command goes on "
        "after them."
    )


def _line(run: Run, name: str, number: int, total: int) -> str:
    from .colours import number as readable

    record = run.records[name]
    known = run.names is not None and record["target"] is not None
    target = run.names[record["target"]].short if known else f"class {record['target']}"  # pyright: ignore
    chance = "" if record["probability"] is None else f", probability {record['probability']:.2f}"
    many = "" if record["forwards"] == 1 else "s"
    cost = f"{record['forwards']} forward{many}, {record['seconds']:.1f} s"
    return f"{number}/{total}  {name}: {target}, score {readable(record['score'])}{chance}  ({cost})"


def _closing_line(run: Run, page: Path) -> str:
    count = len(run.records) - len(run.reused)
    parts = [f"{count} image{'' if count == 1 else 's'} explained"]
    if run.reused:
        parts.append(f"{len(run.reused)} used again")
    if run.unreadable:
        parts.append(f"{len(run.unreadable)} skipped")
    return f"{', '.join(parts)} in {time.monotonic() - run.started:.0f} s. Open {page}"


def _tell(options: Namespace, text: str) -> None:
    """A line for people, above the progress bar if there is one."""
    from tqdm import tqdm

    if not options.quiet:
        tqdm.write(text)


def _warn(text: str) -> None:
    import sys

    print(f"xsparks: {text}", file=sys.stderr, flush=True)
