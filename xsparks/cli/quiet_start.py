"""TensorFlow's start, without its monologue."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2  # the file descriptor, which C++ writes to


def import_tensorflow() -> None:
    """Imports TensorFlow; what its libraries write to stderr meanwhile is shown only if the import fails.

    TensorFlow 2.21 writes lines about oneDNN and CUDA even where TF_CPP_MIN_LOG_LEVEL forbids it. Who sets that
    variable to 0 gets everything.
    """
    if "tensorflow" in sys.modules:
        return
    # Read once, at the import.
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        importlib.import_module("tensorflow")
        return
    with _kept_back():
        importlib.import_module("tensorflow")


@contextmanager
def _kept_back() -> Iterator[None]:
    """What is written to stderr within the block is dropped, or shown after an error."""
    sys.stderr.flush()
    as_before = os.dup(_STDERR)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(as_before, said.read())
            raise
        finally:
            os.dup2(as_before, _STDERR)
            os.close(as_before)
