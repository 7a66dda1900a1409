"""Anybody's own photos: a folder of photos with a caption file of one of four forms.

The photos lie beside the caption file or in folders below.  Each form is an adapter of its own;
what they share is here: where the file is looked for, what its name says about the split, and how
rows and photos are joined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from captioning.datasets.adapter import Adapter, entries
from captioning.datasets.assembly import Row, assemble_rows
from captioning.datasets.caption_files import has_table, has_tokens, read_table, read_token_file
from captioning.datasets.coco_form import has_coco_form, read_coco_form
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import CaptionDataset
from captioning.datasets.json_records import has_records, read_records
from captioning.datasets.photo_files import holds_photos, photo_files
from captioning.datasets.splitting import official_splits, split_in_name
from captioning.datasets.text_files import read_start
from captioning.errors import DatasetError

__all__ = ["ADAPTERS", "FORMS", "UNKNOWN_TABLE", "Form", "caption_files", "read_rows"]

_FOLDERS = ("annotations", "captions", "labels", "text", "texts")
# The file is looked for under these names first, where a folder holds several.
_LIKELY = ("captions", "caption", "metadata", "annotations", "labels", "results")
_TABLES = (".csv", ".tsv", "captions.txt", "caption.txt")


@dataclass(frozen=True)
class Form:
    """One form of caption file.

    Attributes:
        endings: What names of such files end in, the likeliest first.
        fits: Whether a file that begins with this text is one.
        read: Reads its rows.
        flickr8k: Whether Flickr8k's official splits are used for its photos.
    """

    endings: tuple[str, ...]
    fits: Callable[[str], bool]
    read: Callable[[Path, Oddities, str | None], list[Row]]
    flickr8k: bool = True


_TABLE = Form((*_TABLES, ".txt", ".tab"), has_table, read_table, flickr8k=False)
_TOKENS = Form((".txt", ".token", ".tsv", ".csv", ".caption"), has_tokens, read_token_file)
_COCO = Form((".json",), has_coco_form, read_coco_form)
_RECORDS = Form((".json", ".jsonl", ".ndjson"), has_records, read_records)
FORMS = (_TABLE, _TOKENS, _COCO, _RECORDS)


def caption_files(root: Path, form: Form) -> list[Path]:
    """Return the caption files of one form in a folder, the likeliest first.

    Several are returned only where each is about another split, as `train.csv` and `val.csv` are.
    """
    found = [path for path in _candidates(root, form.endings) if form.fits(read_start(path))]
    splits = [split_in_name(path.stem) for path in found]
    return found if len(set(splits) - {None}) == len(found) else found[:1]


def read_rows(
    root: Path, files: Sequence[Path], form: Form, oddities: Oddities, encoding: str | None
) -> list[Row]:
    """Read the rows of caption files; those of several have the split that the file's name says."""
    others = [path for path in _candidates(root, form.endings) if path not in files]
    shown = [f"'{path.name}'" for path in others if path.suffix != ".txt"]
    if shown:
        oddities.decisions.append(
            f"The captions are read from '{files[0].name}', not from {', '.join(shown)}."
        )
    if len(files) == 1:
        return form.read(files[0], oddities, encoding)
    rows: list[Row] = []
    for path in files:
        try:
            found = form.read(path, oddities, encoding)
        except DatasetError as error:  # the captions of some test splits are not public
            oddities.decisions.append(f"'{path.name}' is left out: {error}")
            continue
        split = split_in_name(path.stem)
        rows += [row if row.split else replace(row, split=split) for row in found]
    if not rows:
        return form.read(files[0], oddities, encoding)  # says what is wrong
    return rows


def _candidates(root: Path, endings: Sequence[str]) -> list[Path]:
    """Return the files that may be a caption file by their names, the likeliest first."""
    here = entries(root)
    for folder in ("", *_FOLDERS):
        inside = here if not folder else entries(here[folder]) if folder in here else {}
        paths = [
            path
            for name, path in inside.items()
            if name.endswith(tuple(endings)) and not name.startswith(".") and path.is_file()
        ]
        if paths:
            return sorted(
                paths,
                key=lambda path: (
                    not path.name.lower().endswith(_TABLES) and ".csv" in endings,
                    path.stem.lower() not in _LIKELY,
                ),
            )
    return []


def _read(form: Form, root: Path, encoding: str | None = None) -> CaptionDataset:
    # If no file has the form, reading the likeliest says what it lacks.
    files = caption_files(root, form) or _candidates(root, form.endings)[:1]
    if not files:
        raise DatasetError(f"'{root}' holds no caption file ({', '.join(form.endings)}).")
    oddities = Oddities()
    rows = read_rows(root, files, form, oddities, encoding)
    photos_there = photo_files(root)
    names = [name.rsplit("/", 1)[-1] for name in photos_there.names]
    official = form.flickr8k and not official_splits().keys().isdisjoint(names)
    lists = official_splits() if official and not any(row.split for row in rows) else None
    photos = assemble_rows(rows, photos_there, files[0], oddities, lists=lists)
    return CaptionDataset(root.name, root, photos, photos_there.folder, oddities)


def _fits(form: Form, root: Path) -> bool:
    return bool(caption_files(root, form)) and holds_photos(root)


def _fits_in_part(root: Path) -> bool:
    return bool(_candidates(root, _TABLES)) and holds_photos(root)


_TABLE_ADAPTER = Adapter(
    name="captioned folder",
    looked_for="photos with a CSV or TSV file that has the columns 'image' and 'caption'",
    captions="any `.csv` or `.tsv`, or a `.txt` with the names of columns; one a split is allowed "
    "(`train.csv`, `val.csv`)",
    photos="below it, at most six folders deep",
    splits="a column, else the files' or folders' names, else drawn",
    inner_folders=frozenset(),
    fits=partial(_fits, _TABLE),
    read=partial(_read, _TABLE),
)

ADAPTERS = (
    _TABLE_ADAPTER,
    Adapter(
        name="token file",
        looked_for="photos with a file of lines 'photo.jpg#0', a tab and a caption",
        captions="lines `photo.jpg#0<TAB>caption` or `photo#zhc#0 caption` under any name, as of "
        "Flickr8k-CN and Arabic Flickr8k",
        photos="below it",
        splits="Flickr8k's official ones for its photos, else the folders' names, else drawn",
        inner_folders=frozenset(),
        fits=partial(_fits, _TOKENS),
        read=partial(_read, _TOKENS),
    ),
    Adapter(
        name="COCO form",
        looked_for="photos with a JSON file in COCO's form ('images' and 'annotations')",
        captions="a `.json` in COCO's form, also in `annotations/`",
        photos="below it",
        splits="the files' or folders' names, else drawn",
        inner_folders=frozenset(),
        fits=partial(_fits, _COCO),
        read=partial(_read, _COCO),
    ),
    Adapter(
        name="JSON records",
        looked_for="photos with a JSON or JSON Lines file of records ('image' and 'caption')",
        captions="`metadata.jsonl`, a list of records as of LAVIS and BLIP, or captions by photo",
        photos="below it",
        splits="a key, else the files' or folders' names, else drawn",
        inner_folders=frozenset(),
        fits=partial(_fits, _RECORDS),
        read=partial(_read, _RECORDS),
    ),
)

# Asked last, because its error says which columns a table lacks.
UNKNOWN_TABLE = replace(_TABLE_ADAPTER, fits=_fits_in_part, captions="")
