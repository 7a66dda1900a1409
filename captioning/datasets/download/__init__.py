"""Getting data sets: Flickr8k from Kaggle, a zip archive from a browser, a folder that is there.

`fetch_flickr8k`, `install_zip` and `install_folder` do it while the caller waits; a page calls
`start_download` and polls `download_state`.
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
from captioning.datasets.download.progress import Progress
from captioning.datasets.download.source import KAGGLE_PAGE, by_hand

__all__ = [
    "KAGGLE_PAGE",
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
