"""Data sets of photos with captions, all with the same face.

`available_datasets` tells which there are; `load(folder)` finds out what a folder holds;
`generate_shapes` makes a small one out of nothing; `verify` opens every photo.  Another kind of
data set is another module with an `ADAPTER`, named in `loading`.  `captioning.datasets.download`
brings data sets here.
"""

from captioning.datasets.catalog import (
    Available,
    available_datasets,
    folder_of,
    load_folder,
    load_named,
)
from captioning.datasets.data_issues import Oddities, Tally
from captioning.datasets.dataset import (
    SPLITS,
    CaptionDataset,
    Photo,
    VerificationReport,
    verify,
)
from captioning.datasets.loading import load
from captioning.datasets.shapes import generate_shapes

__all__ = [
    "SPLITS",
    "Available",
    "CaptionDataset",
    "Oddities",
    "Photo",
    "Tally",
    "VerificationReport",
    "available_datasets",
    "folder_of",
    "generate_shapes",
    "load",
    "load_folder",
    "load_named",
    "verify",
]
