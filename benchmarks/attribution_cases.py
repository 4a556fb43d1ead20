"""What `attributions.py` measures: every method with its settings, and the same work of the peer."""

from __future__ import annotations

from typing import Any, NamedTuple

LAYER = "out_relu"


class Case(NamedTuple):
    """A row of the table.

    `kind` is that of the dearest passes: "forward", "gradient" (with one back to the input) or "layer" (with one back
    to a late layer). `images` are explained at once, in each repeat. `passes` are those of one image: of the peer
    exactly, of ours only for the estimate of the time, as the methods themselves tell how many they take.
    """

    label: str
    method: str
    kind: str
    images: int
    passes: int
    options: dict[str, Any]
    peer: str | None = None
    peer_options: dict[str, Any] | None = None
    timed: bool = True


def _one_pass(label: str, method: str, kind: str = "gradient", beside: bool = True) -> Case:
    """One pass an image, so many images; those that read a layer get the same one."""
    own, theirs = ({}, {}) if kind == "gradient" else ({"layer": LAYER}, {"conv_layer": LAYER})
    return Case(label, method, kind, 32, 1, own, label if beside else None, theirs)


def _noisy(peer: str) -> Case:
    return Case(f"{peer}, 50 copies", peer.lower(), "gradient", 1, 50, {"samples": 50}, peer, {"nb_samples": 50})


def _occlusion(patch: int, stride: int, images: int, timed: bool = True) -> Case:
    label, options = f"Occlusion, patch {patch}, stride {stride}", {"patch_size": patch, "patch_stride": stride}
    passes = ((224 - patch) // stride + 1) ** 2 + 1
    return Case(label, "occlusion", "forward", images, passes, options, "Occlusion", options, timed)


def _masks(label: str, method: str, passes: int, own: dict[str, Any], peer: str, theirs: dict[str, Any]) -> Case:
    return Case(label, method, "forward", 1, passes, own, peer, theirs)


CASES = [
    _one_pass("Saliency", "saliency"),
    _one_pass("GradientInput", "gradientinput"),
    _one_pass("GuidedBackprop", "guidedbackprop"),
    _one_pass("DeconvNet", "deconvnet"),
    _one_pass("GradCAM", "gradcam", "layer"),
    _one_pass("GradCAMPP", "gradcampp", "layer"),
    _one_pass("LayerCAM", "layercam", "layer", beside=False),
    _one_pass("FEM", "fem", "forward"),
    Case(
        "IntegratedGradients, 50 steps",
        *("integratedgradients", "gradient", 1, 50, {"steps": 50}),
        *("IntegratedGradients", {"steps": 50}),
    ),
    Case(
        "ExpectedGradients, 50 samples",
        *("expectedgradients", "gradient", 1, 50, {"samples": 50, "references": 8}),
    ),
    _noisy("SmoothGrad"),
    _noisy("SquareGrad"),
    _noisy("VarGrad"),
    _occlusion(32, 16, images=2),
    _occlusion(14, 7, images=1),
    # Memory only: 3,026 passes show nothing new of the time.
    _occlusion(8, 4, images=1, timed=False),
    # The peer's default patch, whose masks it holds at the size of the image.
    _occlusion(3, 3, images=1, timed=False),
    _masks("RISE, 500 masks", "rise", 500, {"samples": 500}, "Rise", {"nb_samples": 500}),
    # `grid` stands for cells in place of the peer's own segmentation, so that the work is the same.
    _masks("LIME, 500 samples", "lime", 500, {"samples": 500}, "Lime", {"nb_samples": 500, "grid": 7}),
    _masks(
        "KernelSHAP, 500 samples", "kernelshap", 500, {"samples": 500}, "KernelShap", {"nb_samples": 500, "grid": 7}
    ),
    _masks(
        *("HSIC, 500 masks of 64 cells", "hsic", 500, {"samples": 500, "grid_size": 8}),
        *("HsicAttributionMethod", {"nb_design": 500, "grid_size": 8}),
    ),
    # The peer's rows are two longer than the cells, ours one.
    _masks(
        *("Sobol, 8 rows of 64 cells", "sobol", 8 * 66, {"nb_design": 8, "grid_size": 8}),
        *("SobolAttributionMethod", {"nb_design": 8, "grid_size": 8}),
    ),
    Case("ScoreCAM, 128 channels", "scorecam", "forward", 1, 130, {"channels": 128, "layer": LAYER}),
    Case("SISE, 32 channels a layer", "sise", "gradient", 1, 100, {"channels": 32}),
]


def chosen_cases(wanted: list[str]) -> list[Case]:
    """The cases of these methods, of all where none is named; methods without a case get one with their defaults."""
    from xsparks.attributions.catalogue import methods

    known = methods()
    unknown = sorted({*wanted} - {*known})
    if unknown:
        raise SystemExit(f"no such method: {', '.join(unknown)}; there are {', '.join(known)}")
    for case in CASES:
        if case.method not in known:
            print(f"left out, as there is no such method: {case.label}")
    plain = [
        Case(method.__name__, name, "gradient" if method.needs_gradients else "forward", 2, 100, {})
        for name, method in known.items()
        if name not in {case.method for case in CASES}
    ]
    return [case for case in (*CASES, *plain) if case.method in known and (not wanted or case.method in wanted)]
