"""`xsparks doctor`: what is installed, what it runs on, and whether it works."""

from __future__ import annotations

import importlib
import platform
import time
from collections.abc import Mapping

import numpy as np

from .. import __version__
from . import machine
from .installed import installed_distributions, problems, requirements
from .quiet_start import import_tensorflow

# Name on the page, and the module that tells the version.
_LIBRARIES = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "scipy": "scipy",
    "scikit-learn": "sklearn",
    "opencv": "cv2",
    "matplotlib": "matplotlib",
    "jinja2": "jinja2",
    "tqdm": "tqdm",
}
_WHEELS = {"opencv": "opencv-python-headless"}
_LEAST_DENSITY = 1.3  # an even map has 1; the test's own pictures give about twice that
_HEALTHY = "All is well."


def doctor(installed: Mapping[str, str] | None = None) -> int:
    """Prints versions, devices, the result of a small explanation, and what is wrong.

    Parameters
    ----------
    installed : distributions and their versions; None looks them up.

    Returns
    -------
    code : 0 if nothing is wrong, else 1.
    """
    found = problems(installed_distributions() if installed is None else installed, requirements())
    print(f"xsparks {__version__}, Python {platform.python_version()}, {machine.system()}")
    loaded = _print_versions(found)
    print(f"\nprocessors    {machine.processors()}\nmemory        {machine.memory()}")
    if "tensorflow" in loaded and "keras" in loaded:
        _print_devices(found)
        _print_smoke_test(found)
    print()
    for problem in found:
        print(f"PROBLEM  {problem}")
    print(_HEALTHY if not found else f"{len(found)} problem{'' if len(found) == 1 else 's'} found.")
    return 1 if found else 0


def _print_versions(found: list[str]) -> set[str]:
    """Prints the versions; returns the names of the libraries that can be imported."""
    print()
    loaded = set()
    for name, module in _LIBRARIES.items():
        try:
            if name == "tensorflow":
                import_tensorflow()
            version = getattr(importlib.import_module(module), "__version__", "")
            # Some libraries keep their version in the list of installed distributions only.
            print(f"{name:<13} {version or installed_distributions().get(name, 'version unknown')}")
            loaded.add(name)
        except ImportError as error:
            print(f"{name:<13} cannot be imported")
            wheel = _WHEELS.get(name, name)
            found.append(f"{name} cannot be imported: {error}. Install it anew: pip install --force-reinstall {wheel}")
    return loaded


def _print_devices(found: list[str]) -> None:
    import keras

    backend = keras.backend.backend()
    print(f"devices       {', '.join(machine.devices())}\nbackend       {backend}")
    if machine.unused_card():
        print("              a card of NVIDIA's is there and not used: pip install 'tensorflow[and-cuda]'")
    if backend != "tensorflow":
        found.append(
            f"Keras runs on {backend}: set KERAS_BACKEND=tensorflow, or take the line out of ~/.keras/keras.json"
        )


def _print_smoke_test(found: list[str]) -> None:
    import tensorflow as tf

    start = time.monotonic()
    # Whatever is broken, the report must come to its end and name it.
    anything = (ArithmeticError, AttributeError, ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)
    try:
        density = smoke_test()
    except (*anything, tf.errors.OpError) as error:
        print("small test    failed")
        found.append(f"a small explanation failed: {type(error).__name__}: {' '.join(str(error).split())}")
        return
    seconds = time.monotonic() - start
    print(f"small test    {seconds:.1f} s; maps are {density:.1f} times denser in the object than on average")
    if density < _LEAST_DENSITY:
        found.append(
            f"the maps of a small test miss the objects ({density:.2f} times the density of an even map, expected at "
            f"least {_LEAST_DENSITY}): something is computed wrongly here; please report it"
        )


def smoke_test() -> float:
    """Explains two pictures of the embedded data set; how many times denser are the maps in the objects?"""
    from ..attributions import SobolAttribution
    from ..datasets import shapes
    from ..perturbations import Inpainting
    from .agreement import agreement

    data = shapes.load(2, seed=1_000_000)
    masked = Inpainting(baseline="mean")
    explainer = SobolAttribution(shapes.load_model(), grid_size=6, nb_design=4, perturbation=masked, progress=False)
    maps = explainer.explain(data.images, data.labels).maps[..., 0]
    found = agreement("small test", maps, data.masks)
    return float(np.mean(found.inside / found.areas))
