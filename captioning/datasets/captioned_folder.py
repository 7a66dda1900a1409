"""Users' own photos: a folder of photos with a caption file, or with one text file per photo.

A caption file has one of six forms, each with an adapter.  There may be one file per split, or one
folder per split with photos and captions, as in Hugging Face's image folders.  In the layout of
tools that fine-tune image generators, `1.jpg` is described by `1.txt`, `1.caption`, `1.jpg.txt`, or
by `1.txt` in a folder `captions` next to the photo folder; each line is a caption.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from captioning.datasets.assembly import Row, assemble_rows, check_number
from captioning.datasets.coco import has_coco_form, read_coco_form
from captioning.datasets.data_issues import Oddities
from captioning.datasets.dataset import Adapter, CaptionDataset, entries
from captioning.datasets.json_records import has_records, read_records
from captioning.datasets.photo_files import holds_photos, photo_files, photos_below
from captioning.datasets.splitting import known_split, official_splits, split_in_name
from captioning.datasets.spreadsheet import has_workbook, read_workbook
from captioning.datasets.tables import has_table, read_table
from captioning.datasets.text_files import read_lines, read_start
from captioning.datasets.token_files import (
    has_descriptions,
    has_tokens,
    read_descriptions,
    read_token_file,
)
from captioning.errors import DatasetError

_FOLDERS = ("annotations", "captions", "labels", "text", "texts")
# If a folder has several files, these names are preferred.
_LIKELY = ("captions", "caption", "metadata", "annotations", "labels", "results")
_TABLES = (".csv", ".tsv", "captions.txt", "caption.txt")
_TEXT_ENDINGS = (".txt", ".caption", ".TXT")
_TEXT_FOLDERS = ("captions", "texts", "labels")
# Number of photos that are checked for a text file.
_LOOKED_AT = 50


@dataclass(frozen=True)
class Form:
    """One form of caption file.

    Attributes:
        endings: File name endings, most likely first.
        fits: Returns whether a file with this beginning has the form.
        read: Reads its rows.
        flickr8k: Whether Flickr8k's official splits apply to its photos.
    """

    endings: tuple[str, ...]
    fits: Callable[[str], bool]
    read: Callable[[Path, Oddities, str | None], list[Row]]
    flickr8k: bool = True


_TABLE = Form((*_TABLES, ".txt", ".tab"), has_table, read_table, flickr8k=False)
_TOKENS = Form((".txt", ".token", ".tsv", ".csv", ".caption"), has_tokens, read_token_file)
_DESCRIPTIONS = Form(("descriptions.txt",), has_descriptions, read_descriptions)
_COCO = Form((".json",), has_coco_form, read_coco_form)
_RECORDS = Form((".json", ".jsonl", ".ndjson"), has_records, read_records)
_WORKBOOK = Form((".xlsx",), has_workbook, read_workbook)
FORMS = (_TABLE, _TOKENS, _COCO, _RECORDS, _WORKBOOK, _DESCRIPTIONS)


def caption_files(root: Path, form: Form) -> list[Path]:
    """Return the caption files of one form in a folder, most likely first.

    Several are returned only if each belongs to another split, like `train.csv` and `val.csv`.
    """
    found = [path for path in _candidates(root, form.endings) if form.fits(read_start(path))]
    splits = [split_in_name(path.stem) for path in found]
    return found if len(set(splits) - {None}) == len(found) else found[:1]


def read_rows(
    root: Path, files: Sequence[Path], form: Form, oddities: Oddities, encoding: str | None
) -> list[Row]:
    """Read the rows of caption files; with several files, the split comes from the file name."""
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
        check_number(rows, root)
    if not rows:
        return form.read(files[0], oddities, encoding)  # raises the error
    return rows


def _candidates(root: Path, endings: Sequence[str]) -> list[Path]:
    """Return possible caption files by their names, most likely first."""
    here = entries(root)
    for folder in ("", *_FOLDERS):
        inside = here if not folder else entries(here[folder]) if folder in here else {}
        paths = [
            path
            for name, path in inside.items()
            if name.endswith(tuple(endings)) and not name.startswith(".") and os.path.isfile(path)
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
    # If no file has the form, reading the most likely one raises an error that explains why.
    files = caption_files(root, form) or _candidates(root, form.endings)[:1]
    if not files:
        raise DatasetError(f"'{root}' contains no caption file ({', '.join(form.endings)}).")
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


def _read_text_files(
    root: Path, names: tuple[str, ...], oddities: Oddities, encoding: str | None = None
) -> list[Row]:
    """Read one row per line of the text files of photos.

    Args:
        root: The folder that the names are relative to.
        names: The photos' paths, with forward slashes.
        oddities: Receives remarks about guessed encodings.
        encoding: As for `read_text`.

    Raises:
        DatasetError: A text file cannot be read, or is not text.
    """
    rows: list[Row] = []
    remarks: list[str] = []
    for name in names:
        if (path := _text_of(root / name)) is not None:
            lines = [line for line in read_lines(path, encoding, remarks) if line.strip()]
            rows += [Row(name, line) for line in lines or [""]]
            check_number(rows, root)
    if remarks:
        more = f" The same applies to {len(remarks) - 1:,} more files." if len(remarks) > 1 else ""
        oddities.decisions.append(remarks[0] + more)
    return rows


def _text_of(photo: Path) -> Path | None:
    candidates = [photo.with_suffix(ending) for ending in _TEXT_ENDINGS]
    candidates += [photo.with_name(photo.name + ending) for ending in _TEXT_ENDINGS]
    candidates += [photo.parent.parent / folder / f"{photo.stem}.txt" for folder in _TEXT_FOLDERS]
    return next((path for path in candidates if os.path.isfile(path)), None)


def _read_texts(root: Path, encoding: str | None = None) -> CaptionDataset:
    files, oddities = photo_files(root), Oddities()
    rows = _read_text_files(files.folder, files.names, oddities, encoding)
    if not rows:
        raise DatasetError(f"'{root}' has no text files next to its photos.")
    photos = assemble_rows(rows, files, root, oddities)
    return CaptionDataset(root.name, root, photos, files.folder, oddities)


def _has_texts(root: Path) -> bool:
    try:
        return any(_text_of(root / name) for name in islice(photos_below(root), _LOOKED_AT))
    except DatasetError:
        return False


def _parts(root: Path) -> dict[str, Path]:
    """Return the folders with the name of a split that contain captions and photos, by name."""
    named = [
        path for name, path in entries(root).items() if known_split(name) and os.path.isdir(path)
    ]
    return {path.name: path for path in named if _has_captions(path) and holds_photos(path)}


def _has_captions(part: Path) -> bool:
    return any(caption_files(part, form) for form in FORMS) or _has_texts(part)


def _read_part(part: Path, oddities: Oddities, encoding: str | None) -> list[Row]:
    for form in FORMS:
        if files := caption_files(part, form):
            return read_rows(part, files, form, oddities, encoding)
    found = photo_files(part)
    below = found.folder.relative_to(part).as_posix()
    rows = _read_text_files(found.folder, found.names, oddities, encoding)
    return [replace(row, name=f"{below}/{row.name}") for row in rows]


def _read_parts(root: Path, encoding: str | None = None) -> CaptionDataset:
    parts, oddities = _parts(root), Oddities()
    if not parts:
        raise DatasetError(f"'{root}' is not {_SPLIT_FOLDERS.looked_for}.")
    rows = []
    for folder, part in parts.items():
        for row in _read_part(part, oddities, encoding):
            name = f"{folder}/{row.name.removeprefix('./')}"
            rows.append(Row(name, row.caption, row.split or known_split(folder)))
        check_number(rows, root)
    files = photo_files(root, list(parts))
    photos = assemble_rows(rows, files, root, oddities)
    return CaptionDataset(root.name, root, photos, files.folder, oddities)


_TABLE_ADAPTER = Adapter(
    name="captioned folder",
    looked_for="photos with a CSV or TSV file that has the columns 'image' and 'caption'",
    captions="any `.csv` or `.tsv`, or a `.txt` with column names; one per split is allowed "
    "(`train.csv`, `val.csv`)",
    photos="below it, at most six folders deep",
    splits="a column, else the files' or folders' names, else drawn",
    inner_folders=frozenset(),
    fits=partial(_fits, _TABLE),
    read=partial(_read, _TABLE),
)

_SPLIT_FOLDERS = Adapter(
    name="folder per split",
    looked_for="folders 'train', 'val' and 'test', each with photos and a caption file",
    captions="any of these forms in each of `train/`, `val/` (`dev/`, `validation/`) and `test/`",
    photos="in the same folders",
    splits="the folders' names",
    inner_folders=frozenset(),
    fits=lambda root: len(_parts(root)) > 1,
    read=_read_parts,
)

_TEXTS = Adapter(
    name="text file per photo",
    looked_for="photos with a text file next to each ('1.jpg' and '1.txt')",
    captions="`1.txt` or `1.caption` next to `1.jpg` or in `captions/`, one caption per line, as "
    "in kohya's trainers and in the results of Many photos",
    photos="anywhere below",
    splits="the folders' names, else drawn",
    inner_folders=frozenset(),
    fits=_has_texts,
    read=_read_texts,
)

ADAPTERS = (
    _TABLE_ADAPTER,
    Adapter(
        name="token file",
        looked_for="photos with a file of lines 'photo.jpg#0', a tab and a caption",
        captions="lines `photo.jpg#0<TAB>caption` or `photo#zhc#0 caption` in a file with any "
        "name, as in Flickr8k-CN and Arabic Flickr8k",
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
        captions="`metadata.jsonl`, a list of records as in LAVIS and BLIP, conversations as in "
        "LLaVA (the first answer), or captions by photo",
        photos="below it",
        splits="a key, also one around a list of records, else the files' or folders' names, else "
        "drawn",
        inner_folders=frozenset(),
        fits=partial(_fits, _RECORDS),
        read=partial(_read, _RECORDS),
    ),
    Adapter(
        name="Excel workbook",
        looked_for="photos with an Excel workbook (.xlsx) that has the columns 'image' and "
        "'caption'",
        captions="any `.xlsx`; it needs openpyxl (`pip install openpyxl`)",
        photos="below it",
        splits="a column, else the files' or folders' names, else drawn",
        inner_folders=frozenset(),
        fits=partial(_fits, _WORKBOOK),
        read=partial(_read, _WORKBOOK),
    ),
    _SPLIT_FOLDERS,
    _TEXTS,
    Adapter(
        name="tutorial's captions",
        looked_for="photos with 'descriptions.txt' of lines '1000268201', a tab and a caption",
        captions="`descriptions.txt` of `captioning tutorial write` and of widespread tutorials",
        photos="below it",
        splits="Flickr8k's official ones for its photos, else the folders' names, else drawn",
        inner_folders=frozenset(),
        fits=partial(_fits, _DESCRIPTIONS),
        read=partial(_read, _DESCRIPTIONS),
    ),
    # Last, because its error says which columns a table lacks.
    replace(
        _TABLE_ADAPTER,
        fits=lambda root: bool(_candidates(root, _TABLES)) and holds_photos(root),
        captions="",
    ),
)
