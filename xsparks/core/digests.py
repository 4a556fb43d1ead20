"""Short fingerprints of inputs, so that maps are never paired with other images."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

DIGEST_BYTES = 8


def digests(leaves: list[Any]) -> np.ndarray:
    """One 8-byte fingerprint a sample, of all its inputs together.

    Parameters
    ----------
    leaves : arrays that share their first axis `n`; their values count, not their type: an image in uint8 and the
        same image in float32 have the same fingerprint.

    Returns
    -------
    digests : `(n,)` uint64.

    Example
    -------
    >>> a = np.arange(12, dtype="uint8").reshape(2, 6)
    >>> bool((digests([a]) == digests([a.astype("float32")])).all())
    True
    """
    count = len(leaves[0])
    found = np.empty(count, dtype=np.uint64)
    for position in range(count):
        # Processors have instructions for SHA-256, which make it twice as fast as BLAKE2.
        digest = hashlib.sha256(usedforsecurity=False)
        for leaf in leaves:
            sample = np.ascontiguousarray(leaf[position], dtype=np.float32)
            digest.update(str(sample.shape).encode())
            digest.update(sample.data)
        found[position] = np.frombuffer(digest.digest()[:DIGEST_BYTES], dtype=np.uint64)[0]
    return found
