"""Excel workbooks, and Parquet files with the photos inside."""

import io
import sys
import zipfile

import pytest
from PIL import Image

from captioning.datasets import assembly, load, spreadsheet
from captioning.datasets import parquet as parquet_files
from captioning.datasets.loading import kind_of
from captioning.errors import DatasetError

NAMES = tuple(f"{number:02}.png" for number in range(10))
ROWS = [(name, f"a dog runs {name}", f"two kids, one ball {name}") for name in NAMES]
CAPTIONS = {name: texts for name, *texts in ROWS}


def png(number):
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(out, "PNG")
    return out.getvalue()


def captions_by_file(dataset):
    return {photo.name: list(photo.captions) for photo in dataset.photos}


@pytest.fixture
def workbook(tmp_path):
    """A function that writes photos and a workbook of these sheets next to them."""
    openpyxl = pytest.importorskip("openpyxl")

    def write(sheets):
        for number, name in enumerate(NAMES):
            (tmp_path / name).write_bytes(png(number))
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "captions.xlsx")
        return tmp_path

    return write


def test_a_workbook_is_read_like_a_csv_file(workbook):
    rows = [(f"{name}", text) for name, *texts in ROWS for text in texts]
    root = workbook({"Notes": [("to do", 1)], "Captions": [("Photo", "Caption"), *rows]})
    assert kind_of(root) == "Excel workbook"
    assert captions_by_file(load(root)) == CAPTIONS


def test_numbers_and_lines_in_cells_are_read(workbook):
    rows = [(number, "a dog\nruns", "train" if number < 8 else "val") for number in range(10)]
    dataset = load(workbook({"1": [("image", "caption", "split"), *rows, (None, None, None)]}))
    assert set(map(tuple, captions_by_file(dataset).values())) == {("a dog runs",)}
    assert [len(dataset.split(s)) for s in ("train", "dev", "test")] == [8, 2, 0]


def test_a_workbook_that_cannot_be_read_says_why(workbook, monkeypatch):
    root = workbook({"1": [("image", "caption")]})
    with pytest.raises(DatasetError, match="sheet 1.*no rows below its first line"):
        load(root)
    path = root / "captions.xlsx"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DatasetError, match="cannot be read as an Excel workbook"):
        load(root)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DatasetError, match="pip install openpyxl"):
        load(root)


@pytest.fixture
def parquet(tmp_path, data_home):
    """A function that writes columns into Parquet files by name, and returns their folder."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(**files):
        for name, columns in files.items():
            path = tmp_path / "hub" / "data" / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            parquet.write_table(pyarrow.table(columns), path)
        return tmp_path / "hub"

    return write


def images(numbers, paths=True):
    return [{"bytes": png(n), "path": NAMES[n] if paths else None} for n in numbers]


def test_photos_in_parquet_files_are_unpacked_once(parquet, data_home):
    texts = list(CAPTIONS.values())
    root = parquet(
        **{
            "train-00000-of-00001": {"image": images(range(7)), "caption": texts[:7]},
            "validation-00000-of-00001": {"image": images(range(7, 10)), "caption": texts[7:]},
        }
    )
    assert kind_of(root) == "Parquet"
    dataset = load(root)
    assert dataset.name == "hub"
    assert captions_by_file(dataset) == CAPTIONS
    assert [len(dataset.split(s)) for s in ("train", "dev", "test")] == [7, 3, 0]
    assert dataset.path(dataset.photos[3]).read_bytes() == png(3)
    written = {path: path.stat().st_mtime_ns for path in data_home.rglob("*")}
    assert captions_by_file(load(root)) == CAPTIONS
    assert {path: path.stat().st_mtime_ns for path in data_home.rglob("*")} == written


def test_rows_of_one_photo_are_one_photo_and_a_lone_split_is_divided(parquet):
    photos = images([n for n in range(10) for _ in range(2)], paths=False)
    texts = [text for pair in CAPTIONS.values() for text in pair]
    dataset = load(parquet(train={"image": photos, "text": texts, "id": list(range(20))}))
    assert [len(photo.captions) for photo in dataset.photos] == [2] * 10
    assert min(len(dataset.split(s)) for s in ("train", "dev", "test")) > 0


def test_parquet_files_may_name_photos_next_to_them(parquet):
    root = parquet(metadata={"file_name": NAMES, "text": list(CAPTIONS.values())})
    for number, name in enumerate(NAMES):
        (root / "data" / name).write_bytes(png(number))
    dataset = load(root)
    assert captions_by_file(dataset) == CAPTIONS
    assert dataset.folder == root / "data"


def test_a_split_column_and_numbered_captions_are_read(parquet):
    columns = {f"caption_{i}": [pair[i] for pair in CAPTIONS.values()] for i in range(2)}
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    raw = [png(n) for n in range(10)]
    dataset = load(parquet(TEST={"img": raw, **columns, "split": splits, "filename": NAMES}))
    assert captions_by_file(dataset) == CAPTIONS
    assert [len(dataset.split(s)) for s in ("train", "dev", "test")] == [6, 2, 2]


def test_rows_without_a_photo_are_reported(parquet):
    photos = [*images(range(9)), None]
    dataset = load(parquet(train={"image": photos, "caption": ["a dog"] * 10}))
    assert "1 caption is left out because the photo is not in the folder" in dataset.summary()


@pytest.mark.parametrize("path", ["../../../evil.png", "/etc/evil.png", "a\nb.png", "con?.png"])
def test_names_in_a_parquet_file_cannot_point_outside(parquet, data_home, path):
    photos = [{"bytes": png(1), "path": path}, *images(range(2, 5))]
    dataset = load(parquet(train={"image": photos, "caption": ["a dog"] * 4}))
    assert len(dataset) == 4
    assert all(file.is_relative_to(data_home) for file in map(dataset.path, dataset.photos))
    assert len(list((data_home / "unpacked").rglob("*.png"))) == 4


def test_a_parquet_file_without_photos_or_damaged_says_so(parquet):
    root = parquet(train={"url": ["http://x"], "caption": ["a dog"]})
    with pytest.raises(DatasetError, match="no column of photos.*but url, caption"):
        load(root)
    (root / "data" / "train.parquet").write_bytes(b"PAR1" + b"\0" * 50)
    with pytest.raises(DatasetError, match="is not a Parquet file"):
        load(root)


def test_a_parquet_file_with_too_many_rows_is_refused_before_reading(parquet, monkeypatch):
    for module in (assembly, parquet_files):
        monkeypatch.setattr(module, "MAX_CAPTIONS", 9)
    monkeypatch.setattr(parquet_files._Columns, "record", None)
    with pytest.raises(DatasetError, match="more than 9 captions"):
        load(parquet(train={"image": images(range(10)), "caption": ["a dog"] * 10}))


def test_the_rows_of_all_parquet_files_are_counted(parquet, monkeypatch):
    columns = {"image": images(range(5)), "caption": [["a dog", "two kids"]] * 5}
    for module in (assembly, parquet_files):
        monkeypatch.setattr(module, "MAX_CAPTIONS", 19)
    with pytest.raises(DatasetError, match="more than 19 captions"):
        load(parquet(train=columns, test=columns))


def test_a_parquet_file_that_grows_without_measure_is_refused(parquet, monkeypatch):
    photos = [bytes(1_000_000)] * 4
    root = parquet(train={"image": photos, "caption": ["a dog"] * 4})
    monkeypatch.setattr(parquet_files, "_SMALL_TABLE", 1_000_000)
    monkeypatch.setattr(parquet_files, "_MAX_GROWTH", 1)
    with pytest.raises(DatasetError, match="unpacks to more than 1 times"):
        load(root)
    monkeypatch.setattr(parquet_files, "_SMALL", 1_000_000)
    monkeypatch.setattr(parquet_files._Columns, "record", None)  # it is refused before reading
    with pytest.raises(DatasetError, match="unpacks to more than 1 times"):
        load(
            parquet(train={"image": [bytes(n) for n in range(10**6, 10**6 + 4)], "text": ["a"] * 4})
        )


def test_rows_with_large_photos_are_read_one_by_one(parquet, monkeypatch):
    from pyarrow.parquet import ParquetFile

    asked, whole = [], ParquetFile.iter_batches

    def counted(file, rows, **options):
        asked.append(rows)
        return whole(file, rows, **options)

    monkeypatch.setattr(ParquetFile, "iter_batches", counted)
    monkeypatch.setattr(parquet_files, "_BYTES_AT_ONCE", 200_000)
    photos = [png(n) + bytes([n]) * 100_000 for n in range(4)]
    dataset = load(parquet(train={"image": photos, "caption": ["a dog"] * 4}))
    assert (asked, len(dataset)) == ([1], 4)


def test_a_parquet_file_with_garbled_text_is_refused(parquet):
    import pyarrow

    garbled = pyarrow.array([b"\xff a dog"] * 2)
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 2, garbled.buffers())
    with pytest.raises(DatasetError, match="damaged or incomplete"):
        load(parquet(train={"image": images(range(2)), "caption": texts}))


def test_a_loop_of_links_is_no_parquet_file(tmp_path):
    try:
        (tmp_path / "train.parquet").symlink_to("train.parquet")
    except OSError:
        pytest.skip("links need a privilege here")
    assert kind_of(tmp_path) is None


@pytest.mark.parametrize(
    ("limit", "row", "column", "noun"),
    [
        ("_MAX_ROWS", 1001, 1, "rows"),
        ("_MAX_CELLS", 2, 1000, "cells"),
        ("MAX_COLUMNS", 2, 1001, "columns"),
        ("_MAX_CHARACTERS", 2, 2, "characters"),
    ],
)
def test_a_workbook_with_a_cell_far_outside_is_refused(
    workbook, monkeypatch, limit, row, column, noun
):
    root = workbook(
        {"1": [("image", "caption")] + [()] * (row - 2) + [[None] * (column - 1) + ["a" * 1001]]}
    )
    monkeypatch.setattr(spreadsheet, limit, 1000)
    with pytest.raises(DatasetError, match=f"more than 1,000 {noun}"):
        load(root)


def test_a_workbook_with_a_false_size_is_read(workbook):
    rows = [(name, text) for name, *texts in ROWS for text in texts]
    root = workbook({"1": [("image", "caption"), *rows]})
    path, changed = root / "captions.xlsx", io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"A1:B21", b"A1:XFD1048576"))
    path.write_bytes(changed.getvalue())
    assert captions_by_file(load(root)) == CAPTIONS


def test_a_workbook_that_grows_without_measure_is_refused(workbook, monkeypatch):
    root = workbook({"1": [("image", "caption"), *[("01.png", "a dog")] * 1000]})
    monkeypatch.setattr(spreadsheet, "_SMALL", 1000)
    monkeypatch.setattr(spreadsheet, "_MAX_RATIO", 2)
    with pytest.raises(DatasetError, match="more than 2 times its size"):
        load(root)
