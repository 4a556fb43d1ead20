"""Measures how strong each frequency is in natural photographs, in decorrelated colours.

    python scripts/natural_spectrum.py FOLDER       # writes xsparks/features/natural_spectrum.npz

FOLDER holds photographs as square JPEG files of one size; what ships came from one photograph of each of the 1000
classes of ImageNet, 256 x 256 pixels. About a minute.

What is stored are averages over all photographs (and their mirror images, which makes the magnitudes even in both
directions, so that a quarter of them is enough): the colours that are independent over all pixels, and the mean
magnitude of each frequency in these colours, of pixels in [-1/2, 1/2]. Magnitudes fall about as one over the frequency;
times the frequency they need three digits. JPEG files keep colours at half the resolution, which takes fine waves from
them: above 1/20 cycle a pixel the two colour channels are given the magnitudes of brightness, times what they had of
these in the ring below.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from xsparks.numerics.spectra import frequencies

# In cycles per pixel.
FINE = 0.05
OUT = Path(__file__).parents[1] / "xsparks" / "features" / "natural_spectrum.npz"


def photograph(file: Path) -> np.ndarray:
    """The pixels of a file, red first, in [-1/2, 1/2]."""
    return cv2.imread(str(file))[..., ::-1].astype(np.float64) / 255 - 0.5


def independent_colours(files: list[Path]) -> np.ndarray:
    """The eigenvectors of the covariance of pixels, as long as their standard deviations; the longest has length 1."""
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for file in files:
        pixels = photograph(file).reshape(-1, 3)
        count, total, products = count + len(pixels), total + pixels.sum(0), products + pixels.T @ pixels
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    rows = (vectors * np.sqrt(values)).T[::-1]
    # Each row has two directions; the one whose largest entry is positive.
    rows *= np.sign(np.take_along_axis(rows, np.abs(rows).argmax(1)[:, None], 1))
    return rows / np.linalg.norm(rows, axis=1).max()


def mean_spectrum(files: list[Path], colours: np.ndarray) -> np.ndarray:
    """The mean magnitude `(h, w // 2 + 1, 3)` over the photographs, divided by the number of pixels."""
    total, unmix = 0.0, np.linalg.inv(colours)
    for file in files:
        total = total + np.abs(np.fft.rfft2(photograph(file) @ unmix, axes=(0, 1)))
    side = total.shape[0]
    return total / (len(files) * side * side)


def with_fine_colours(magnitude: np.ndarray) -> np.ndarray:
    """The magnitudes with those of fine waves of colour as they are without the loss of JPEG files."""
    length = frequencies(magnitude.shape[0], magnitude.shape[0])
    ring = (length > 0.6 * FINE) & (length <= FINE)
    share = magnitude[ring].sum(axis=0) / magnitude[ring][:, 0].sum()
    return np.where((length > FINE)[..., None], magnitude[..., :1] * share, magnitude)


def main() -> None:
    """Reads the photographs, writes the averages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    files = sorted(options.folder.glob("*.jpg"))
    colours = independent_colours(files)
    # In the digits that are stored.
    colours = colours.astype(np.float32).astype(np.float64)
    magnitude = with_fine_colours(mean_spectrum(files, colours))
    side = magnitude.shape[0]
    flat = magnitude * frequencies(side, side)[..., None]
    below = np.roll(flat[::-1], 1, axis=0)
    quarter = ((flat + below) / 2)[: side // 2 + 1]
    np.savez_compressed(
        options.out,
        magnitude=(quarter / quarter.mean()).astype(np.float16),
        scale=np.float32(quarter.mean()),
        level=magnitude[0, 0].astype(np.float32),
        colours=colours.astype(np.float32),
    )
    print(f"{options.out}: {options.out.stat().st_size} bytes, of {len(files)} photographs")
    print(colours.round(4), magnitude[0, 0].round(4), sep="\n")


if __name__ == "__main__":
    main()
