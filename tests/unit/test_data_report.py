"""What is said about a data set before training and scoring, and what is refused."""

import pytest
from PIL import Image

from captioning.datasets import load
from captioning.errors import DatasetError, TrainingError
from captioning.training.checkpoints import check_settings
from captioning.training.report import check_vocabulary, data_report
from captioning.vocabulary import Vocabulary


def data_set(root, rows, present):
    root.mkdir(exist_ok=True)
    for name in present:
        Image.new("RGB", (8, 8)).save(root / name)
    text = "".join(f"{name},A dog runs,{split}\n" for name, split in rows)
    (root / "captions.csv").write_text("image,caption,split\n" + text)
    return load(root)


ROWS = [(f"{n}.jpg", "train" if n < 20 else "dev" if n < 30 else "test") for n in range(40)]
NAMES = [name for name, _ in ROWS]


def test_a_whole_data_set_is_accepted(tmp_path):
    data_set(tmp_path, ROWS, NAMES).check_complete("train", "dev", "test")


def test_a_lost_split_is_refused_where_it_is_needed(tmp_path):
    dataset = data_set(tmp_path, ROWS, NAMES[:20] + NAMES[30:])
    dataset.check_complete("train", "test")
    with pytest.raises(
        DatasetError, match=r"10 of 30 captions \(all of dev\).*20\.jpg.*allow_missing"
    ):
        dataset.check_complete("train", "dev")


@pytest.mark.parametrize(("missing", "refused"), [(1, False), (2, True)])
def test_more_than_a_twentieth_of_the_captions_must_not_be_lost(tmp_path, missing, refused):
    dataset = data_set(tmp_path, ROWS, NAMES[missing:])
    if refused:
        with pytest.raises(DatasetError, match="2 of 20 captions"):
            dataset.check_complete("train")
    else:
        dataset.check_complete("train")


def test_rows_that_cannot_be_read_count_for_every_split(tmp_path):
    data_set(tmp_path, ROWS, NAMES)
    with (tmp_path / "captions.csv").open("a") as file:
        file.write("broken\n" * 5 + "\n" * 9)
    with pytest.raises(DatasetError, match="5 of 15 captions"):
        load(tmp_path).check_complete("dev")


def test_the_report_names_unreadable_photos_cut_captions_and_rare_words(tmp_path):
    dataset = data_set(tmp_path, ROWS, NAMES)
    captions = [["a dog runs"], ["a dog sees seven strange unusual things today"]]
    vocabulary = Vocabulary.build(["a dog runs"], min_count=1)
    unreadable = {f"{n}.jpg": f"The photo {n} is cut short." for n in range(5)}
    summary, photos, cut, rare = data_report([dataset], unreadable, captions, vocabulary, 8)
    assert summary == dataset.summary()
    assert photos.startswith("5 photos cannot be read and are left out: The photo 0 is cut short.")
    assert photos.endswith("2 more are not shown.")
    assert cut == "1 of 2 training captions are longer than 7 words and are cut."
    assert rare.startswith("55% of the words")
    assert data_report([dataset], {}, captions[:1], vocabulary, 8) == [summary]


def test_a_vocabulary_without_words_is_refused():
    check_vocabulary(Vocabulary.build(["a dog"], min_count=1), 1)
    with pytest.raises(TrainingError, match="No word occurs 3 times"):
        check_vocabulary(Vocabulary.build(["a dog"], min_count=3), 3)


@pytest.mark.parametrize("changed", ["data digest", "vocabulary digest"])
def test_a_run_does_not_go_on_with_other_data(changed):
    kept = {"data digest": "1", "vocabulary digest": "2", "seed": 0}
    check_settings(kept, dict(kept))
    check_settings({"seed": 0}, kept)  # a checkpoint of an earlier version
    with pytest.raises(TrainingError, match="other data"):
        check_settings(kept, kept | {changed: "3"})
