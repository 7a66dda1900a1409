"""A class's `descriptions.txt` from a tutorial: captions without photos.

`captioning.tutorial_files.take_over` creates such a folder and stores the class's features for it,
which are sufficient to train a decoder.
"""

from pathlib import Path

from captioning.datasets.assembly import assemble
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.splitting import draw_splits
from captioning.datasets.text_files import read_lines
from captioning.errors import DatasetError

FILE = "descriptions.txt"
NO_PHOTOS = "no-photos"
"""A file with this name marks a folder that has no photos on purpose."""


def _read(folder: Path, encoding: str | None = None) -> CaptionDataset:
    path, oddities = folder / FILE, Oddities()
    rows = []
    for number, line in enumerate(read_lines(path, encoding, oddities.decisions), start=1):
        name, tab, caption = line.partition("\t")
        if not tab or not name:
            raise DatasetError(f"'{path}', line {number}: expected a name, a tab and a caption.")
        rows.append((name, caption))
    names = sorted({name for name, _ in rows})
    photos = assemble(rows, names, draw_splits(names, oddities), oddities, captions_each=None)
    return CaptionDataset(folder.name, folder, photos, folder, oddities, has_photos=False)


ADAPTER = Adapter(
    name="tutorial's files",
    looked_for=f"a folder with {FILE} and {NO_PHOTOS} (imported files of a class)",
    captions=f"`{FILE}` with `{NO_PHOTOS}` next to it (imported files of a class)",
    photos="none",
    splits="drawn",
    inner_folders=frozenset(),
    fits=lambda folder: {FILE, NO_PHOTOS} <= set(entries(folder)),
    read=_read,
)
