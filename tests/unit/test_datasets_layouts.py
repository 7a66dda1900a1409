"""Layouts of people's own data sets: token files, COCO form, JSON records, texts, split folders."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from captioning.datasets import assembly, json_records, load, tables
from captioning.datasets.loading import kind_of, layouts_table
from captioning.datasets.splitting import official_splits, with_dev
from captioning.errors import DatasetError

ROOT = Path(__file__).parents[2]
NAMES = tuple(f"{number:03}.jpg" for number in range(1, 11))
CAPTIONS = {name: (f"a dog runs {name}", f"two kids play {name}") for name in NAMES}
SPLITS = ("train",) * 6 + ("val",) * 2 + ("test",) * 2
ROWS = [(n, text, split) for n, split in zip(NAMES, SPLITS, strict=True) for text in CAPTIONS[n]]


def write_photos(folder, names=NAMES):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (8 + number, 8), (20 * number, 0, 0)).save(folder / name)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")


def captions_by_file(dataset):
    return {photo.name.rsplit("/", 1)[-1]: photo.captions for photo in dataset.photos}


def sizes(dataset):
    return [len(dataset.split(split)) for split in ("train", "dev", "test")]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def coco(rows, identity=lambda number: number):
    images = [
        {"id": n, "file_name": name} for n, name in enumerate(dict.fromkeys(r[0] for r in rows))
    ]
    ids = {image["file_name"]: image["id"] for image in images}
    found = [{"image_id": identity(ids[name]), "caption": text} for name, text, _ in rows]
    return {"images": images, "annotations": found}


def in_cells(write_cell):
    rows = [f"{n}\t{write_cell(list(texts))}\n" for n, texts in CAPTIONS.items()]
    return "file\tcaptions\n" + "".join(rows)


def as_numpy(texts):
    return "[" + " ".join(repr(text) for text in texts) + "]"


PHOTO_OF = {"image": "001.jpg", "sentences": [{"raw": "x", "tokens": ["x"]}]}
ONE_FILE = {
    "HF metadata.jsonl": ("metadata.jsonl", lines({"file_name": n, "text": t} for n, t, _ in ROWS)),
    "HF metadata.csv": (
        "metadata.csv",
        "file_name,text\n" + "".join(f"{n},{t}\n" for n, t, _ in ROWS),
    ),
    "JSON lines named .json": ("data.json", lines({"image": n, "caption": t} for n, t, _ in ROWS)),
    "BLIP list": (
        "annotations/train.json",
        [{"image": f"photos/{n}", "caption": t} for n, t, _ in ROWS],
    ),
    "LAVIS lists": ("data.json", [{"image": n, "caption": list(t)} for n, t in CAPTIONS.items()]),
    "captions by photo": ("captions.json", {n: list(t) for n, t in CAPTIONS.items()}),
    "Karpathy's form": (
        "my.json",
        {
            "images": [
                {"filename": n, "sentences": [{"raw": t} for t in ts]} for n, ts in CAPTIONS.items()
            ]
        },
    ),
    "captions by stem": ("labels.json", {n[:3]: t for n, t in CAPTIONS.items()}),
    "kohya's metadata": (
        "meta.json",
        {f"/x/{n[:3]}": {"captions": t} for n, t in CAPTIONS.items()},
    ),
    "COCO results": ("results.json", [{"image_id": int(n[:3]), "caption": t} for n, t, _ in ROWS]),
    "LLaVA": (
        "llava.json",
        [
            {
                "id": n[:3],
                "image": n,
                "conversations": [
                    {"from": "human", "value": "<image>\nWhat is this?"},
                    {"from": "gpt", "value": t},
                    {"from": "human", "value": "Is it red?"},
                    {"from": "gpt", "value": "Yes."},
                ],
            }
            for n, t, _ in ROWS
        ],
    ),
    "chat messages": (
        "chat.jsonl",
        lines(
            {
                "image": n,
                "messages": [
                    {"role": "user", "content": "Describe."},
                    {"role": "assistant", "content": [{"type": "text", "text": t}]},
                ],
            }
            for n, t, _ in ROWS
        ),
    ),
    "images in a list": (
        "chat.json",
        [
            {"images": [n], "messages": [{"role": "assistant", "content": t}]}
            for n, ts in CAPTIONS.items()
            for t in ts
        ],
    ),
    "annotations with names": (
        "captions.json",
        {"annotations": [{"image": n, "caption": t} for n, t, _ in ROWS]},
    ),
    "prompts": ("metadata.jsonl", lines({"file_name": n, "prompt": t} for n, t, _ in ROWS)),
    "COCO form": ("annotations/captions.json", coco(ROWS)),
    "COCO form, ids as text": ("my.json", coco(ROWS, str)),
    "token file": (
        "my.tokens.txt",
        "".join(f"{n}#{i % 2}\t{t}\n" for i, (n, t, _) in enumerate(ROWS)),
    ),
    "Flickr8k-CN": (
        "zhc.txt",
        "".join(f"{n[:3]}#zhc#{i % 2} {t}\n" for i, (n, t, _) in enumerate(ROWS)),
    ),
    "JSON in a cell": (
        "captions.tsv",
        in_cells(lambda texts: '"' + json.dumps(texts).replace('"', '""') + '"'),
    ),
    "Python in a cell": ("captions.tsv", in_cells(repr)),
    "NumPy in a cell": ("captions.tsv", in_cells(as_numpy)),
    "a tutorial's descriptions": (
        "descriptions.txt",
        "".join(f"{n[:3]}\tstartseq {t} endseq\n" for n, t, _ in ROWS),
    ),
    "descriptions without tabs": (
        "descriptions.txt",
        "".join(f"{n[:3]} {t}\n" for n, t, _ in ROWS),
    ),
    "a list named .jsonl": (
        "metadata.jsonl",
        [{"file_name": n, "text": t} for n, t, _ in ROWS],
    ),
    "columns of other names": ("my.csv", "Bild;Satz\n" + "".join(f"{n};{t}\n" for n, t, _ in ROWS)),
    "Excel's first line": (
        "my.csv",
        "sep=;\nimage;caption\n" + "".join(f"{n};{t}\n" for n, t, _ in ROWS),
    ),
    "no names of columns": ("my.csv", "".join(f"{n},{t}\n" for n, t, _ in ROWS)),
    "caption first, unquoted": (
        "my.csv",
        "caption,image\n" + "".join(f"{t},{n}\n" for n, t, _ in ROWS),
    ),
}


@pytest.mark.parametrize("form", ONE_FILE)
@pytest.mark.parametrize("photos", ["", "photos"])
def test_a_caption_file_of_any_form_gives_the_same_captions(tmp_path, form, photos):
    name, content = ONE_FILE[form]
    root = tmp_path / "mine"
    write_photos(root / photos)
    write(root / name, content)
    dataset = load(root)
    assert kind_of(root)
    assert dataset.name == "mine"
    assert captions_by_file(dataset) == CAPTIONS
    assert min(sizes(dataset)) > 0
    assert dataset.oddities.losses(("train", "dev", "test"))[0] == 0


@pytest.mark.parametrize("endings", [".txt", ".TXT", ".caption", ".jpg.txt"])
def test_texts_next_to_photos_hold_a_caption_per_line(tmp_path, endings):
    for folder in ("", "10_dog/"):
        write_photos(tmp_path / folder, NAMES[:3])
        for name in NAMES[:3]:
            write(tmp_path / folder / (name[:3] + endings), "\n".join(CAPTIONS[name]) + "\n")
    dataset = load(tmp_path)
    assert [photo.captions for photo in dataset.photos] == [CAPTIONS[n] for n in NAMES[:3]] * 2


@pytest.mark.parametrize("nested", [lambda text: [text], lambda text: {"raw": text}])
def test_captions_nested_deeper_than_any_data_set_s_are_left_out(tmp_path, nested):
    deep = "a dog"
    for _ in range(400):
        deep = nested(deep)
    rows = [{"image": n, "caption": t} for n, t, _ in ROWS] + [{"image": "9.jpg", "caption": deep}]
    write_photos(tmp_path, [*CAPTIONS, "9.jpg"])
    (tmp_path / "data.json").write_text(json.dumps(rows))
    assert {photo.name for photo in load(tmp_path).photos if photo.captions} == set(CAPTIONS)


def test_further_answers_of_a_conversation_are_reported(tmp_path):
    root = tmp_path / "mine"
    write_photos(root)
    write(root / "llava.json", ONE_FILE["LLaVA"][1])
    assert "20 conversations have several answers" in load(root).summary()


def test_texts_may_lie_in_a_folder_next_to_that_of_the_photos(tmp_path):
    write_photos(tmp_path / "images")
    for name in NAMES:
        write(tmp_path / "captions" / f"{name[:3]}.txt", "\n".join(CAPTIONS[name]))
    assert captions_by_file(load(tmp_path)) == CAPTIONS


def test_what_many_photos_exports_as_texts_is_read_back(tmp_path):
    from captioning.batch import Row, to_texts

    write_photos(tmp_path, NAMES)
    (tmp_path / "texts.zip").write_bytes(to_texts(Row(n, t[0]) for n, t in CAPTIONS.items()))
    shutil.unpack_archive(tmp_path / "texts.zip", tmp_path)
    assert captions_by_file(load(tmp_path)) == {n: t[:1] for n, t in CAPTIONS.items()}


@pytest.mark.parametrize("form", ["csv", "jsonl", "txt"])
def test_folders_named_after_splits_are_one_data_set(tmp_path, form):
    for folder, split in (("train", "train"), ("validation", "val"), ("test", "test")):
        rows = [row for row in ROWS if row[2] == split]
        write_photos(tmp_path / folder, list(dict.fromkeys(row[0] for row in rows)))
        if form == "csv":
            write(
                tmp_path / folder / "metadata.csv",
                "file_name,text\n" + "".join(f"{n},{t}\n" for n, t, _ in rows),
            )
        elif form == "jsonl":
            write(
                tmp_path / folder / "metadata.jsonl",
                lines({"file_name": n, "text": t} for n, t, _ in rows),
            )
        else:
            for name in {row[0] for row in rows}:
                write(tmp_path / folder / f"{name[:3]}.txt", "\n".join(CAPTIONS[name]))
    dataset = load(tmp_path)
    assert sizes(dataset) == [6, 2, 2]
    assert captions_by_file(dataset) == CAPTIONS
    assert dataset.photos[-1].name == "validation/008.jpg"


@pytest.mark.parametrize("stem", ["{}", "coco_karpathy_{}", "captions-{}2017"])
@pytest.mark.parametrize("form", ["csv", "json", "coco"])
def test_a_caption_file_a_split_gives_the_splits(tmp_path, stem, form):
    write_photos(tmp_path / "photos")
    for split in ("train", "val", "test"):
        rows = [row for row in ROWS if row[2] == split]
        if form == "csv":
            content = "image,caption\n" + "".join(f"{n},{t}\n" for n, t, _ in rows)
        else:
            content = (
                coco(rows) if form == "coco" else [{"image": n, "caption": t} for n, t, _ in rows]
            )
        ending = "csv" if form == "csv" else "json"
        write(tmp_path / "annotations" / f"{stem.format(split)}.{ending}", content)
    dataset = load(tmp_path)
    assert sizes(dataset) == [6, 2, 2]
    assert captions_by_file(dataset) == CAPTIONS


def test_a_json_file_with_a_list_of_records_for_each_split_gives_the_splits(tmp_path):
    write_photos(tmp_path)
    records = [{"image": name, "caption": "a dog"} for name in NAMES]
    content = {"info": {"year": 2024}, "train": records[:6], "val": records[6:8]}
    write(tmp_path / "data.json", {**content, "test": records[8:]})
    dataset = load(tmp_path)
    assert sizes(dataset) == [6, 2, 2]
    assert "drawn" not in dataset.summary()


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (("train", "test"), [7, 1, 2]),
        (("train", "train"), [10, 0, 0]),
        (("test", "test"), [0, 0, 10]),
    ],
)
def test_without_dev_photos_a_tenth_of_train_is_dev(tmp_path, marks, expected):
    write_photos(tmp_path)
    rows = [(n, marks[i > 7]) for i, n in enumerate(NAMES)]
    write(
        tmp_path / "a.csv", "image,caption,split\n" + "".join(f"{n},a dog,{s}\n" for n, s in rows)
    )
    dataset = load(tmp_path)
    assert sizes(dataset) == expected
    assert ("1 of the 8 training photos are dev" in dataset.summary()) == (expected[1] == 1)


def test_a_data_set_of_train_photos_alone_gets_dev_photos_where_it_is_trained_on(tmp_path):
    write_photos(tmp_path)
    rows = "".join(f"{name},a dog,train\n" for name in NAMES)
    write(tmp_path / "a.csv", "image,caption,split\n" + rows)
    dataset = load(tmp_path)
    assert sizes(with_dev(dataset)) == [9, 1, 0]
    assert "1 of the 10 training photos are dev" in with_dev(dataset).summary()
    assert "are dev" not in dataset.summary()
    assert with_dev(with_dev(dataset)).split("dev") == with_dev(dataset).split("dev")
    (tmp_path / "a.csv").write_text(f"image,caption,split\n{NAMES[0]},a dog,train\n")
    assert sizes(with_dev(load(tmp_path))) == [1, 0, 0]


def test_a_table_without_names_of_columns_loses_no_row(tmp_path):
    write_photos(tmp_path)
    write(tmp_path / "my.tsv", "".join(f"a dog runs\t{name}\n" for name in NAMES))
    assert captions_by_file(load(tmp_path)) == dict.fromkeys(NAMES, ("a dog runs",))


def test_a_test_split_without_captions_is_left_out_and_reported(tmp_path):
    write_photos(tmp_path / "photos")
    for split in ("train", "val", "test"):
        content = coco([row for row in ROWS if row[2] == split])
        if split == "test":
            del content["annotations"]
        write(tmp_path / "annotations" / f"{split}.json", content)
    dataset = load(tmp_path)
    assert sizes(dataset) == [6, 2, 0]
    assert "'test.json' is left out" in dataset.summary()


def test_folders_of_photos_named_after_splits_give_the_splits(tmp_path):
    for split in ("train", "val", "test"):
        write_photos(
            tmp_path / "images" / split,
            [n for n, s in zip(NAMES, SPLITS, strict=True) if s == split],
        )
    write(tmp_path / "captions.csv", "image,caption\n" + "".join(f"{n},{t}\n" for n, t, _ in ROWS))
    dataset = load(tmp_path)
    assert sizes(dataset) == [6, 2, 2]
    assert "folder names define" in dataset.summary()


def test_a_new_layout_of_flickr8ks_photos_has_its_official_splits(tmp_path):
    official = official_splits()
    names = [
        next(n for n, s in official.items() if s == split) for split in ("train", "dev", "test")
    ]
    write_photos(tmp_path / "Images", names)
    write(tmp_path / "cn.txt", "".join(f"{n[:-4]}#zhc#0 一只狗\n" for n in names))
    assert sizes(load(tmp_path)) == [1, 1, 1]


def test_hugging_faces_flickr30k_has_karpathys_splits(tmp_path):
    write_photos(tmp_path / "flickr30k-images")
    rows = [
        f'"{json.dumps(list(t)).replace(chr(34), chr(34) * 2)}","[0, 1]",{s},{n},{i}\n'
        for i, ((n, t), s) in enumerate(zip(CAPTIONS.items(), SPLITS, strict=True))
    ]
    write(
        tmp_path / "flickr_annotations_30k.csv",
        "raw,sentids,split,filename,img_id\n" + "".join(rows),
    )
    dataset = load(tmp_path)
    assert dataset.name == "flickr30k"
    assert captions_by_file(dataset) == CAPTIONS
    assert sizes(dataset) == [6, 2, 2]


def test_karpathys_coco_takes_the_photos_of_2017(tmp_path):
    images = [
        {
            "filepath": "val2014",
            "filename": f"COCO_val2014_000000000{n}",
            "split": s,
            "cocoid": int(n[:3]),
        }
        for n, s in zip(NAMES, SPLITS, strict=True)
    ]
    for image, name in zip(images, NAMES, strict=True):
        image["sentences"] = [{"raw": text} for text in CAPTIONS[name]]
    write(tmp_path / "dataset_coco.json", {"images": images})
    write_photos(tmp_path / "train2017", [f"000000000{n}" for n in NAMES[:5]])
    write_photos(tmp_path / "val2017", [f"000000000{n}" for n in NAMES[5:]])
    dataset = load(tmp_path)
    assert {n[-7:]: t for n, t in captions_by_file(dataset).items()} == CAPTIONS
    assert sizes(dataset) == [6, 2, 2]


def test_ids_that_do_not_meet_are_named(tmp_path):
    write_photos(tmp_path)
    write(tmp_path / "my.json", coco(ROWS, lambda number: f"x{number}"))
    with pytest.raises(DatasetError, match="ids such as 'x0'"):
        load(tmp_path)


def test_rows_of_too_many_cells_are_named_as_such(tmp_path):
    write_photos(tmp_path)
    rows = "".join(f"{n},a dog, a cat,train\n" for n in NAMES)
    write(tmp_path / "captions.csv", "image,caption,split\n" + rows)
    with pytest.raises(DatasetError, match="10 rows have more cells than the first line"):
        load(tmp_path)


def test_a_folder_without_captions_says_what_it_holds(tmp_path):
    write_photos(tmp_path)
    write(tmp_path / "readme.md", "hello")
    with pytest.raises(DatasetError, match=r"'readme.md'"):
        load(tmp_path)


def test_the_documentation_lists_the_layouts_as_the_code_does():
    assert layouts_table() in (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_cell_of_escaped_quotes_is_read_in_time(quote):
    cell = "[" + quote + f"\\{quote}" * 60_000
    started = time.process_time()
    assert tables._listed(cell + "]") is None
    assert tables._listed(f"{cell}{quote}]") == (quote * 60_000,)
    assert time.process_time() - started < 5


def test_texts_in_a_cell_are_read_as_python_reads_them():
    assert tables._listed("['a', 'it\\'s \\u00e4'\n\"b\"]") == ("a", "it's \xe4", "b")
    assert tables._listed("['a' b]") is tables._listed("['a\nb']") is None


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_a_table_with_thousands_of_columns_is_refused(tmp_path, delimiter):
    write_photos(tmp_path)
    names = ["image", *(f"caption{number}" for number in range(1000))]
    write(tmp_path / "captions.csv", delimiter.join(names) + "\n001.jpg\n")
    with pytest.raises(DatasetError, match="more than 1,000 cells"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.csv", "image,caption1,caption2\n" + "001.jpg,a,b\n" * 5),
        ("captions.csv", "image,caption\n" + "001.jpg,['a' 'b']\n" * 5),
        ("captions.json", [{"image": "001.jpg", "captions": ["a"] * 10}]),
        ("captions.json", coco([("001.jpg", "a", None)] * 10)),
        ("captions.token", "001.jpg#0\ta\n" * 10),
        ("001.txt", "a\n" * 10),
    ],
)
def test_more_captions_than_fit_into_memory_are_refused(tmp_path, monkeypatch, name, content):
    write_photos(tmp_path)
    write(tmp_path / name, content)
    for module in (assembly, json_records):
        monkeypatch.setattr(module, "MAX_CAPTIONS", 10)
    assert sum(len(photo.captions) for photo in load(tmp_path).photos) == 10
    monkeypatch.setattr(assembly, "MAX_CAPTIONS", 9)
    with pytest.raises(DatasetError, match="more than 9 captions"):
        load(tmp_path)


def test_a_record_with_too_many_cells_is_read_line_by_line(tmp_path, monkeypatch):
    write_photos(tmp_path)
    open_quotes = "image,caption\n001.jpg,a dog\n" + '"\n",' * 50 + '"\n002.jpg,a cat\n'
    write(tmp_path / "captions.csv", open_quotes)
    monkeypatch.setattr(tables, "_MAX_DELIMITERS", 40)
    captions = captions_by_file(load(tmp_path))
    assert (captions["001.jpg"], captions["002.jpg"]) == (("a dog",), ("a cat",))


def test_a_line_of_blanks_is_read_in_time(tmp_path):
    write_photos(tmp_path)
    write(tmp_path / "descriptions.txt", f"001\tstartseq a{' ' * 80_000}dog endseq\n002\ta cat\n")
    started = time.process_time()
    assert captions_by_file(load(tmp_path))["002.jpg"] == ("a cat",)
    assert time.process_time() - started < 5


def test_the_start_of_a_json_file_is_searched_in_time():
    started = time.process_time()
    assert not json_records.has_records("{" + '"' + '\\"' * 40_000)
    assert not json_records.has_records("{" + '"' + '\\"' * 40_000 + "\\")
    assert time.process_time() - started < 5
    assert json_records.has_records('[{"a \\"b": 1, "image": "x", "text"  : "')


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("name", ["captions.csv", "captions.txt", "results.csv", "captions.xlsx"])
def test_a_pipe_is_not_read(tmp_path, name):
    write_photos(tmp_path / "Images")
    os.mkfifo(tmp_path / name)
    pipe = os.open(tmp_path / name, os.O_RDWR | os.O_NONBLOCK)
    text = b"image,caption\n1000092795.jpg,a dog\n"
    try:
        os.write(pipe, text)
        with pytest.raises(DatasetError):
            load(tmp_path)
        assert os.read(pipe, 100) == text
    finally:
        os.close(pipe)
