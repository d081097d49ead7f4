"""What the stages ask of the two ends, in their own words; the wings answer."""

from liteshift.ends.rows import Digest, Reading, Repairing, Rows
from liteshift.ends.source import Range, Snapshot, Source, Survey
from liteshift.ends.staging import Builder, Building, Kept, Part, Staging, Task, Unbuildable, Unbuilt
from liteshift.ends.target import Target

__all__ = [
    "Builder",
    "Building",
    "Digest",
    "Kept",
    "Part",
    "Range",
    "Reading",
    "Repairing",
    "Rows",
    "Snapshot",
    "Source",
    "Staging",
    "Survey",
    "Target",
    "Task",
    "Unbuildable",
    "Unbuilt",
]
