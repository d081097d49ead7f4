"""What the live stages ask of the two ends, in their own words; the wings answer. (`ends` has what a copy asks.)"""

from liteshift.flow.destination import Applier, Capture, Chosen, Destination
from liteshift.flow.held import Held
from liteshift.flow.origin import Control, Fence, Origin, ReverseApplier, Stream

__all__ = [
    "Applier",
    "Capture",
    "Chosen",
    "Control",
    "Destination",
    "Fence",
    "Held",
    "Origin",
    "ReverseApplier",
    "Stream",
]
