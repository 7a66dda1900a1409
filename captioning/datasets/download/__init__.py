"""Download and install data sets: Flickr8k from Kaggle, a zip archive, or an existing folder.

`fetch_flickr8k`, `install_zip` and `install_folder` block until they are done; pages call
`start_download` and poll `download_state`.
"""

from captioning.datasets.download.background import (
    DownloadState,
    download_state,
    run_download,
    start_download,
    stop_download,
)
from captioning.datasets.download.installing import (
    Installed,
    fetch_flickr8k,
    install_folder,
    install_zip,
)
from captioning.datasets.download.places import by_hand
from captioning.datasets.download.progress import Progress

__all__ = [
    "DownloadState",
    "Installed",
    "Progress",
    "by_hand",
    "download_state",
    "fetch_flickr8k",
    "install_folder",
    "install_zip",
    "run_download",
    "start_download",
    "stop_download",
]
