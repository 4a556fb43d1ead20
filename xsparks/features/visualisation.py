"""Pictures of what a network looks for, and how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..core.errors import wording
from ..core.files import pair_of, read_pair, write_arrays, write_json

SCHEMA = 1
_ARRAYS = ("images", "transparency", "values", "stages")


@dataclass(frozen=True, eq=False)
class Visualisation:
    """What does the network look for, one picture for each target?

    Behaves as the array of its images.

    Parameters
    ----------
    images : `(n, h, w, c)` float32, in the range of the model's inputs
    transparency : `(n, h, w, 1)` float32, not negative: how much each pixel mattered, the absolute gradient of the
        objective summed over the steps; pixels of low values may be shown transparent
    values : `(n, steps)` float32, the objective before each step, the mean over the crops
    stages : `(n, k, h, w, c)` float32, the pictures before the steps `stage_steps`, or None
    stage_steps : k numbers of steps
    names : n strings, what each shows
    values_range : (low, high), the value of black and that of white
    method : the method's name
    settings, versions : all options, and the versions of the libraries

    Example
    -------
    >>> seen = Visualisation(np.zeros((1, 4, 4, 3), "float32"), np.ones((1, 4, 4, 1), "float32"), names=("class 3",))
    >>> len(seen), seen.names, np.asarray(seen).shape
    (1, ('class 3',), (1, 4, 4, 3))
    """

    images: np.ndarray
    transparency: np.ndarray
    values: np.ndarray | None = None
    stages: np.ndarray | None = None
    stage_steps: Sequence[int] = ()
    names: Sequence[str] = ()
    values_range: tuple[float, float] = (0.0, 1.0)
    method: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.images, dtype=dtype, copy=copy)

    def __getitem__(self, key: Any) -> Visualisation:
        """Some of the pictures, as a `Visualisation`."""
        rows = np.atleast_1d(np.arange(len(self))[key])
        chosen = {name: value[rows] for name in _ARRAYS if (value := getattr(self, name)) is not None}
        return replace(self, **chosen, names=tuple(self.names[row] for row in rows) if self.names else ())

    def __repr__(self) -> str:
        return f"<Visualisation of {len(self)} targets by {self.method or 'an unnamed method'}, {self.images.shape}>"

    def plot(self, **options: Any) -> Any:
        """A figure of the pictures, transparent where they did not matter; returns `(figure, axes)`, shows nothing.

        Parameters
        ----------
        options : those of `xsparks.plots.plot_transparent`.
        """
        from ..plots import plot_transparent

        options.setdefault("titles", list(self.names) or None)
        options.setdefault("value_range", self.values_range)
        return plot_transparent(self.images, self.transparency, **options)

    def plot_gallery(self, examples: Any = None, **options: Any) -> Any:
        """A row for each target: its pictures, and photographs beside them; returns `(figure, axes)`.

        Parameters
        ----------
        examples : from the names of targets to photographs or crops, or None.
        options : those of `xsparks.plots.plot_gallery`.
        """
        from ..plots import plot_gallery

        options.setdefault("names", list(self.names) or None)
        options.setdefault("value_range", self.values_range)
        return plot_gallery(self.images, self.transparency, examples=examples, **options)

    def plot_progress(self, index: int = 0, **options: Any) -> Any:
        """How one of the pictures came to be, with the stages that were kept; returns `(figure, axes)`.

        Parameters
        ----------
        index : of the picture.
        options : those of `xsparks.plots.plot_progress`.
        """
        from ..plots import plot_progress

        seen = self[index]
        if seen.values is None:
            raise ValueError(
                wording(
                    "Visualisation.plot_progress",
                    expected="the values of the objective must have been kept",
                    received="none",
                    remedy="Plot what `explain` returned.",
                )
            )
        if seen.stages is not None:
            options.setdefault("stages", np.concatenate([seen.stages[0], seen.images]))
            options.setdefault("steps", [*self.stage_steps, seen.values.shape[1]])
        options.setdefault("title", seen.names[0] if seen.names else None)
        options.setdefault("value_range", self.values_range)
        return plot_progress(seen.values[0], **options)

    def save(self, path: Any) -> Any:
        """Writes `path.npz` (arrays) and `path.json` (everything else), without pickle; returns the first path.

        Raises
        ------
        WriteError : the folder cannot be written; the pictures are still in memory.
        """
        arrays_path, record_path = pair_of(path)
        write_arrays(arrays_path, {name: value for name in _ARRAYS if (value := getattr(self, name)) is not None})
        record = {name: getattr(self, name) for name in ("method", "settings", "versions")}
        lists = {name: list(getattr(self, name)) for name in ("names", "values_range", "stage_steps")}
        write_json(record_path, {"kind": "Visualisation", "schema": SCHEMA, **record, **lists})
        return arrays_path

    @classmethod
    def load(cls, path: Any) -> Visualisation:
        """What `save` wrote."""
        arrays, record = read_pair(path, "Visualisation")
        stored: dict[str, Any] = {name: arrays.get(name) for name in _ARRAYS}
        stored |= {name: record[name] for name in ("method", "settings", "versions")}
        low, high = record["values_range"]
        steps = tuple(record.get("stage_steps", ()))
        return cls(names=tuple(record["names"]), values_range=(low, high), stage_steps=steps, **stored)
