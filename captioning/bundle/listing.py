"""The bundles that there are, each read again only after a change, and the default one."""

import os
import time
from pathlib import Path
from threading import Lock

from captioning.bundle.reading import Bundle, bundle_folders, model_folders, read_bundle
from captioning.errors import BundleError

PREFERRED = ("everyday", "flickr8k-compact", "flickr8k-xception", "flickr8k-efficientnet")
"""The default model: the first of these that exists, else any."""

Fingerprint = tuple[tuple[str, int, int, int], ...]
_KNOWN: dict[Path, tuple[Fingerprint, "Bundle"]] = {}
_LOCK = Lock()
_MOST_KNOWN, _SETTLED_NS = 256, 2_000_000_000


def find_bundles() -> list[Bundle]:
    """List the bundles by name; a damaged one is left out.

    Files that have not changed since the last call are not read again.
    """
    found: dict[str, Bundle] = {}
    for place in model_folders():
        for folder in bundle_folders(place):
            if folder.name not in found:
                try:
                    found[folder.name] = _read_if_changed(folder)
                except BundleError:
                    continue  # using its name (`--model`, a link) reports what is wrong
    return sorted(found.values(), key=lambda bundle: bundle.name)


def _read_if_changed(folder: Path) -> Bundle:
    """Read a bundle, or return it from the cache if its files have not changed.

    Raises:
        BundleError: as for `read_bundle`.
    """
    fingerprint = _fingerprint(folder)
    with _LOCK:
        known = _KNOWN.get(folder)
    if known is not None and known[0] == fingerprint:
        return known[1]
    bundle = read_bundle(folder)
    # A file that was just written can change again without a newer time.
    newest = max((changed for _, changed, *_ in fingerprint), default=0)
    with _LOCK:
        if time.time_ns() - newest > _SETTLED_NS:
            while len(_KNOWN) >= _MOST_KNOWN:
                del _KNOWN[next(iter(_KNOWN))]
            _KNOWN[folder] = (fingerprint, bundle)
        else:
            _KNOWN.pop(folder, None)
    return bundle


def _fingerprint(folder: Path) -> Fingerprint:
    """Return the name, time of change in ns, size and inode of each file of a bundle."""
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ()
    return tuple(
        sorted((name, max(s.st_mtime_ns, s.st_ctime_ns), s.st_size, s.st_ino) for name, s in stats)
    )


def default_model() -> str:
    """Return the name of the default model.

    Raises:
        BundleError: there is no model.
    """
    names = [bundle.name for bundle in find_bundles()]
    if not names:
        raise BundleError(
            "There is no model yet. Train one: "
            "python -m captioning train --config configs/shapes-two-minutes.json"
        )
    return next((name for name in PREFERRED if name in names), names[0])
