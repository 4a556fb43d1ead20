"""How a mask with values in [0, 1] changes an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.checks import check_choice, check_number
from ..core.errors import wording
from ..core.layout import Layout
from .baselines import as_baseline, blurred
from .noise import input_width


class Perturbation(Protocol):
    """`reference` is made once an image, the perturbed image once a mask."""

    def reference(self, inputs: Any, layout: Layout, seed: int, input_range: tuple[float, float] | None) -> Any:
        """What is computed once for each image `(m, ...)`: a tree `(m, ...)`."""
        ...

    def __call__(self, inputs: Any, mask: Any, reference: Any) -> Any:
        """The images `(b, ...)` seen through the masks."""
        ...


@dataclass(frozen=True)
class Inpainting:
    """The image where the mask is 1, a baseline where it is 0: `x * M + baseline * (1 - M)`.

    Parameters
    ----------
    baseline : as for `Deletion`. `"middle"` is what the published zero is to a network that eats [-1, 1], wherever
        its preprocessing stands; black, the zero of 0..255, cannot hide what is dark.
    """

    baseline: Any = "middle"

    def reference(self, inputs: Any, layout: Layout, seed: int, input_range: tuple[float, float] | None) -> Any:
        """The baseline of every image; nothing for zero."""
        nothing = ("zero", "middle") if input_range is None else ("zero",)
        if isinstance(self.baseline, str) and self.baseline in nothing:
            return ()
        return as_baseline(self.baseline, layout, seed, input_range, "Inpainting")(inputs)

    def __call__(self, inputs: Any, mask: Any, reference: Any) -> Any:
        """The inpainted images."""
        if isinstance(reference, tuple):
            return inputs * mask
        return reference + (inputs - reference) * mask


@dataclass(frozen=True)
class Blur:
    """The image where the mask is 1, its blurred copy where it is 0.

    Parameters
    ----------
    sigma : deviation of the Gaussian in pixels.
    """

    sigma: float = 10.0

    def __post_init__(self) -> None:
        check_number("Blur", "sigma", self.sigma, minimum=0.1, remedy="Use 10 for images of 224 pixels.")

    def reference(self, inputs: Any, layout: Layout, seed: int, input_range: tuple[float, float] | None) -> Any:
        """The blurred copy of every image."""
        if not layout.is_image:
            raise ValueError(
                wording(
                    "Blur",
                    expected="samples must be images (h, w, c)",
                    received=f"shape {layout.shape}",
                    remedy="Use 'inpainting' or 'mean'.",
                )
            )
        return blurred(inputs, layout, self.sigma)

    def __call__(self, inputs: Any, mask: Any, reference: Any) -> Any:
        """The partly blurred images."""
        return reference + (inputs - reference) * mask


@dataclass(frozen=True)
class Amplitude:
    """The image made brighter or darker: `x + (M - 1/2) * sigma * (high - low)`.

    The published code multiplies where its description adds; the description is followed here.

    Parameters
    ----------
    sigma : fraction of the input range, in (0, 2].
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        check_number("Amplitude", "sigma", self.sigma, minimum=1e-6, maximum=2.0, remedy="Use 1.")

    def reference(self, inputs: Any, layout: Layout, seed: int, input_range: tuple[float, float] | None) -> Any:
        """The width of the input range, of each image where none is declared."""
        return input_width(inputs, input_range)

    def __call__(self, inputs: Any, mask: Any, reference: Any) -> Any:
        """The images with changed amplitude."""
        return inputs + (mask - 0.5) * self.sigma * reference


@dataclass(frozen=True)
class Custom:
    """A function of the user, `(inputs (b, h, w, c), mask (b, h, w, 1)) -> perturbed`."""

    function: Callable[[Any, Any], Any]

    def reference(self, inputs: Any, layout: Layout, seed: int, input_range: tuple[float, float] | None) -> Any:
        """Nothing."""
        return ()

    def __call__(self, inputs: Any, mask: Any, reference: Any) -> Any:
        """What the function makes of the images."""
        return self.function(inputs, mask)


NAMED: dict[str, Perturbation] = {
    "inpainting": Inpainting(),
    "mean": Inpainting("mean"),
    "blur": Blur(),
    "amplitude": Amplitude(),
}


def as_perturbation(perturbation: Any, where: str) -> Perturbation:
    """A perturbation from its name, an instance, or a function `(inputs, mask) -> perturbed`."""
    if isinstance(perturbation, str):
        return NAMED[check_choice(where, "perturbation", perturbation, NAMED)]
    if hasattr(perturbation, "reference"):
        return perturbation
    if callable(perturbation):
        return Custom(perturbation)
    raise TypeError(
        wording(
            f"{where}(perturbation={perturbation!r})",
            expected=f"`perturbation` must be {', '.join(map(repr, NAMED))} or a function (inputs, mask) -> images",
            received=type(perturbation).__name__,
            remedy="Use 'inpainting', the published choice.",
        )
    )
