"""Floor 3: where does the model look? One file for each paper."""

from .sobol import SobolAttribution as SobolAttribution
