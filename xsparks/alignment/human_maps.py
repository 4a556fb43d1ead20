"""The targets of harmonized training: the label, the human map, and whether there is one."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from ..core.errors import wording

LABEL, HEATMAP, HAS_HEATMAP = "label", "heatmap", "has_heatmap"


class _HumanTargets(NamedTuple):
    """The targets of one batch.

    Parameters
    ----------
    label : what the compiled loss and metrics get.
    heatmap : `(n, h, w)` float32.
    share : `(n,)` float32, 1 for a sample with a map, 0 for one without.
    """

    label: Any
    heatmap: Any
    share: Any


def is_with_maps(targets: Any) -> bool:
    """Whether targets carry human maps."""
    return isinstance(targets, dict) and HEATMAP in targets and LABEL in targets


def label_of(targets: Any) -> Any:
    """The plain label of targets with or without maps; Keras may hand over weights of samples in the same parts."""
    return targets[LABEL] if is_with_maps(targets) else targets


def read_targets(targets: Any, where: str) -> _HumanTargets:
    """The parts of `{"label": ..., "heatmap": ..., "has_heatmap": ...}`; without the last every sample has a map.

    Raises
    ------
    ValueError : other targets, other keys, or a map that is none.
    """
    known = {LABEL, HEATMAP, HAS_HEATMAP}
    if not is_with_maps(targets) or set(targets) - known:
        raise ValueError(
            wording(
                where,
                expected="the targets must be {'label': ..., 'heatmap': ..., 'has_heatmap': ...}",
                received=f"the keys {sorted(targets)}" if isinstance(targets, dict) else "targets without keys",
                remedy="A sample without a map has zeros for a map, and False for 'has_heatmap'.",
            )
        )
    heatmap: Any = tf.convert_to_tensor(targets[HEATMAP])
    if len(heatmap.shape) == 4 and heatmap.shape[-1] == 1:
        heatmap = heatmap[..., 0]
    if len(heatmap.shape) != 3:
        raise ValueError(
            wording(
                where,
                expected="'heatmap' must have shape (n, h, w) or (n, h, w, 1)",
                received=f"shape {tuple(heatmap.shape)}",
                remedy="Give one map for each image.",
            )
        )
    share = targets.get(HAS_HEATMAP)
    share = tf.ones_like(heatmap[:, 0, 0]) if share is None else share
    share = tf.reshape(tf.cast(share, tf.float32), (tf.shape(heatmap)[0],))
    # What stands where there is no map must not reach a slope, not even NaN.
    given = tf.where(share[:, None, None] > 0, tf.cast(heatmap, tf.float32), 0.0)
    return _HumanTargets(targets[LABEL], given, share)
