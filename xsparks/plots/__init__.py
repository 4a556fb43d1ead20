"""Arrays in, matplotlib figures out: maps over pictures, curves, comparisons and intervals. Floor 1."""

from .clusters import plot_clusters as plot_clusters
from .comparison import plot_comparison as plot_comparison
from .concepts import plot_concept_crops as plot_concept_crops
from .concepts import plot_concepts as plot_concepts
from .curves import plot_curves as plot_curves
from .gallery import plot_gallery as plot_gallery
from .images import Displayed as Displayed
from .images import displayable as displayable
from .intervals import plot_intervals as plot_intervals
from .leaderboard import plot_leaderboard as plot_leaderboard
from .maps import plot_maps as plot_maps
from .overlays import overlay as overlay
from .progress import plot_progress as plot_progress
from .style import Drawing as Drawing
from .trade_off import plot_trade_off as plot_trade_off
from .transparent import plot_transparent as plot_transparent
from .transparent import with_transparency as with_transparency
from .tree import plot_tree as plot_tree
from .utility import plot_utility as plot_utility
