"""Floor 5: the command line `xsparks`. Nothing heavy is imported before there is work to do."""

from .entry import main as main
