"""What this process may use: processors, memory, accelerators."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

_GIGABYTE = 1e9


def processors() -> str:
    """How many processors this process may use, of how many."""
    total = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    return str(total) if allowed == total else f"{allowed} of {total}"


def memory() -> str:
    """How much memory there is and how much is free, where the system tells."""
    stated = _stated_memory()
    if "MemTotal" not in stated:
        return "unknown"
    limit = _limit()
    total, free = stated["MemTotal"], stated.get("MemAvailable", 0)
    words = f"{total / _GIGABYTE:.1f} GB, {free / _GIGABYTE:.1f} GB free"
    return words if limit is None or limit >= total else f"{words}, at most {limit / _GIGABYTE:.1f} GB for this process"


def _stated_memory() -> dict[str, int]:
    path = Path("/proc/meminfo")
    if not path.is_file():
        return {}
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): 1024 * int(words[1]) for words in lines if len(words) > 1}


def _limit() -> int | None:
    """The limit of a container, in bytes (https://docs.kernel.org/admin-guide/cgroup-v2.html)."""
    path = Path("/sys/fs/cgroup/memory.max")
    text = path.read_text().strip() if path.is_file() else "max"
    return int(text) if text.isdecimal() else None


def system() -> str:
    """The operating system in one line."""
    return f"{platform.system()} {platform.release()}, {platform.machine()}"


def devices() -> list[str]:
    """What TensorFlow can compute on, in words."""
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices():
        details = tf.config.experimental.get_device_details(device) if device.device_type == "GPU" else {}
        model = details.get("device_name", "")
        found.append(f"{device.device_type}{f' ({model})' if model else ''}")
    return found


def unused_card() -> bool:
    """Whether there seems to be a card of NVIDIA's that TensorFlow does not see."""
    import tensorflow as tf

    return shutil.which("nvidia-smi") is not None and not tf.config.list_physical_devices("GPU")
