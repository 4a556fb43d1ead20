"""Floor 1: data that need no download, drawn by code."""

from . import shapes as shapes
