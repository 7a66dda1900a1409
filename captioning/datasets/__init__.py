"""Data sets of photos with captions, all with the same interface.

`available_datasets` lists them; `load(folder)` detects the kind of data set in a folder and reads
it; `generate_shapes` draws a small one; `verify` opens every photo.  To support another kind, add a
module with an `ADAPTER` and list it in `loading`.  `captioning.datasets.download` downloads and
installs data sets.
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
