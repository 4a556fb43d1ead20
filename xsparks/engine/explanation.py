"""Maps that know what they explain and how they were made."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..core.errors import nearest, wording
from ..core.files import pair_of, read_pair, write_arrays, write_json
from .enlarging import at_size

SCHEMA = 1
_ARRAYS = ("values", "targets", "scores", "digests")


@dataclass(frozen=True, eq=False)
class Explanation:
    """What did the model look at in each input, and how was that found?

    Behaves as the array of its maps (`np.asarray`, `.shape`, slices of samples) and keeps what belongs to them.

    Parameters
    ----------
    values : `(n, g, g, c)` maps on their grid, or `(n, h, w, c)` float32.
    size : `(h, w)` of the inputs; maps on a coarser grid are enlarged to it on access, by bicubic
        interpolation within the range of their cells.
    targets : `(n,)` or `(n, ...)`, what was explained.
    scores : `(n,)` float32, the score explained, of each input as it is.
    digests : `(n,)` uint64, fingerprints of the inputs.
    method, estimand : the method's name and what its numbers estimate, in words.
    settings, versions : all options, and the versions of the libraries.
    extras : further arrays of the method, `(n, ...)`. They and the settings are found as attributes, too: `.raw`,
        `.interval`, `.seed`.
    class_names : titles of figures.

    Example
    -------
    >>> maps = Explanation(np.ones((2, 4, 4, 1), "float32"), size=(8, 12), method="Demo")
    >>> maps.shape, np.asarray(maps[0:1]).shape
    ((2, 8, 12, 1), (1, 8, 12, 1))
    """

    values: np.ndarray
    size: tuple[int, ...] | None = None
    targets: np.ndarray | None = None
    scores: np.ndarray | None = None
    digests: np.ndarray | None = None
    method: str = ""
    estimand: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    class_names: Sequence[str] | None = None

    @property
    def maps(self) -> np.ndarray:
        """All maps at the size of the inputs, `(n, h, w, c)` float32."""
        if self.size is None or self.values.ndim != 4:
            return self.values
        return at_size(self.values, self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all maps, `(n, h, w, c)`."""
        if self.size is None or self.values.ndim != 4:
            return self.values.shape
        return (len(self.values), *self.size, self.values.shape[-1])

    @property
    def dtype(self) -> np.dtype:
        """The type of the maps."""
        return self.values.dtype

    @property
    def ndim(self) -> int:
        """The rank of the maps."""
        return self.values.ndim

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.maps, dtype=dtype, copy=copy)

    def __getitem__(self, key: Any) -> Any:
        """A slice or a list of samples is an `Explanation`; anything else indexes the array of maps."""
        if isinstance(key, slice | list | np.ndarray):
            return self._chosen(key)
        if isinstance(key, int | np.integer):
            return self._chosen([int(key)]).maps[0]
        return self.maps[key]

    def __iter__(self) -> Any:
        return (self[position] for position in range(len(self)))

    def __getattr__(self, name: str) -> np.ndarray:
        extras = self.__dict__.get("extras", {})
        if name in extras:
            return extras[name]
        settings = self.__dict__.get("settings", {})
        if name in settings:
            return settings[name]
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            wording(
                f"{self.__dict__.get('method') or 'Explanation'}.{name}",
                expected="the name must be an attribute of these maps",
                received=repr(name),
                remedy=nearest(name, [*extras, "maps", "targets", "scores", "method", "settings", "estimand"]),
            )
        )

    def __repr__(self) -> str:
        return f"<Explanation of {len(self)} inputs by {self.method or 'an unnamed method'}, maps {self.shape}>"

    def _chosen(self, key: Any) -> Explanation:
        def rows(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[key]

        chosen = {name: rows(getattr(self, name)) for name in _ARRAYS}
        return replace(self, extras={name: array[key] for name, array in self.extras.items()}, **chosen)  # pyright: ignore[reportArgumentType]

    @staticmethod
    def concatenate(parts: Sequence[Explanation]) -> Explanation:
        """One explanation of all the inputs of several that one method made."""
        first = parts[0]
        if len(parts) == 1:
            return first

        def joined(name: str) -> Any:
            arrays = [getattr(part, name) for part in parts]
            return None if arrays[0] is None else np.concatenate(arrays)

        extras = {name: np.concatenate([part.extras[name] for part in parts]) for name in first.extras}
        return replace(first, extras=extras, **{name: joined(name) for name in _ARRAYS})

    def titles(self) -> list[str]:
        """One line a sample: what was explained and its score."""
        return [self._title(position) for position in range(len(self))]

    def _title(self, position: int) -> str:
        if self.targets is None:
            return ""
        target = self.targets[position]
        name = self._name_of_array() if np.ndim(target) else str(target)
        if self.class_names is not None and not np.ndim(target):
            name = str(self.class_names[int(target)])
        return name if self.scores is None else f"{name} ({self.scores[position]:.2f})"

    def _name_of_array(self) -> str:
        """What a target that is no single number is, by the operator that reads it."""
        operator = self.settings.get("operator")
        name = str(operator["name"] if isinstance(operator, dict) else operator).lower()
        targets = np.asarray(self.targets)
        if name == "segmentation":
            return "zone" if targets.dtype.kind in "iu" else "weights"
        if name == "detection":
            return "object" if targets.ndim == 2 else "objects"
        return "weights"

    def plot(self, images: Any = None, **options: Any) -> Any:
        """A figure of the maps over the images; returns `(figure, axes)` and shows nothing.

        Parameters
        ----------
        images : the inputs as they were handed over, or None for the maps alone.
        options : those of `xsparks.plots.plot_maps`.
        """
        from ..plots import plot_maps

        options.setdefault("titles", self.titles())
        return plot_maps(self.maps, images, **options)

    def save(self, path: Any) -> Any:
        """Writes `path.npz` (arrays) and `path.json` (everything else), without pickle; returns the first path.

        Raises
        ------
        WriteError : the folder cannot be written; the maps are still in memory.
        """
        arrays_path, record_path = pair_of(path)
        arrays = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        arrays |= {f"extra_{name}": array for name, array in self.extras.items()}
        write_arrays(arrays_path, arrays)
        write_json(record_path, {"kind": "Explanation", "schema": SCHEMA, **self.record()})
        return arrays_path

    def record(self) -> dict[str, Any]:
        """Everything but the arrays, fit for JSON."""
        return {
            "method": self.method,
            "estimand": self.estimand,
            "size": None if self.size is None else list(self.size),
            "settings": self.settings,
            "versions": self.versions,
            "class_names": None if self.class_names is None else list(self.class_names),
        }

    @classmethod
    def load(cls, path: Any) -> Explanation:
        """What `save` wrote."""
        arrays, record = read_pair(path, "Explanation")
        stored: dict[str, Any] = {name: arrays.get(name) for name in _ARRAYS}
        stored |= {name: record[name] for name in ("method", "estimand", "settings", "versions", "class_names")}
        extras = {name[len("extra_") :]: array for name, array in arrays.items() if name.startswith("extra_")}
        size = record["size"]
        return cls(size=None if size is None else tuple(size), extras=extras, **stored)

    def _repr_html_(self) -> str:
        """A table for notebooks: up to eight maps and how they were made."""
        shown = self[:8]
        picture = ""
        if shown.ndim == 4:
            figure, _ = shown.plot(columns=8, size=1.6)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=96)
            source = base64.b64encode(buffer.getvalue()).decode()
            picture = f'<img alt="maps of {len(shown)} inputs" src="data:image/png;base64,{source}">'
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items() if value is not None)
        return (
            f"<p><b>{html.escape(self.method)}</b> of {len(self)} inputs: {html.escape(self.estimand)}<br>"
            f"<small>{html.escape(settings)}</small></p>{picture}"
        )
