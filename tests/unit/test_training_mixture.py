"""Training on several data sets at once, and on sentences that have no photos."""

import lzma
import re
from dataclasses import replace

import keras
import numpy as np
import pytest

from captioning.__main__ import main
from captioning.bundle import read_bundle
from captioning.cli.train import show_event
from captioning.config import DecoderConfig, DecodingConfig, EncoderConfig, TrainingConfig
from captioning.datasets import generate_shapes, load
from captioning.decoders import build_decoder
from captioning.errors import ConfigError, DatasetError
from captioning.training import Trainer
from captioning.training.batches import SplitData, make_batch
from captioning.training.model import TeacherForcing
from captioning.training.recipe import prepare
from captioning.training.sentences import Sentences, read_sentences
from captioning.training.sources import StoredFeatures, from_features, stored_rows
from captioning.vocabulary import SPECIAL, UNK, Vocabulary

WORDS = "a red blue green dog cat bird runs sits flies here there".split()
VOCABULARY = Vocabulary([*SPECIAL, *WORDS])
SHAPE = (4, 6)
CONFIG = TrainingConfig(
    decoder=DecoderConfig(kind="inject", embedding_size=8, units=16, dropout=0.5, max_length=6),
    decoding=DecodingConfig(beam_width=1),
    epochs=1,
    images_per_batch=4,
)


def make_decoder():
    keras.utils.set_random_seed(3)
    return build_decoder(CONFIG.decoder, vocabulary_size=len(VOCABULARY), feature_shape=SHAPE)


def photos_of(count, caption, seed=0, **fields):
    features = np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float16)
    return SplitData(lambda indices: features[indices % count], [[caption]] * count, **fields)


def make_trainer(train, dev, **options):
    return Trainer(
        CONFIG, decoder=make_decoder(), vocabulary=VOCABULARY, train=train, dev=dev, **options
    )


def test_an_epoch_shows_repeated_photos_as_often_as_asked_in_all_their_views(eagerly):
    data = photos_of(5, "a dog", repeats=np.array([1, 1, 1, 3, 3]), crops=1)
    trainer = make_trainer(data, photos_of(2, "a dog"))
    epoch = np.concatenate(trainer.groups(0))
    assert np.bincount(epoch % 5).tolist() == [1, 1, 1, 3, 3]
    assert len(trainer.groups(0)) == trainer.steps == 3
    views = {int(i) // 5 for number in range(20) for i in np.concatenate(trainer.groups(number))}
    assert views == {0, 1}


class Stored:
    """A feature store in memory whose rows count up from a value."""

    shape = SHAPE

    def __init__(self, names, first):
        self.names, self.first = names, first

    def places(self, names):
        return np.array([self.names.index(name) for name in names])

    def rows(self, places):
        return np.broadcast_to((self.first + places)[:, None, None], (len(places), *SHAPE))


def test_features_come_from_the_store_of_their_data_set_and_view():
    stores = [
        [Stored(["b", "a"], 10), Stored(["x", "y", "z"], 20)],
        [Stored(["a", "b"], 30), Stored(["z", "y", "x"], 40)],
    ]
    read = stored_rows(stores, [["a", "b"], ["x", "y", "z"]])
    assert read(np.array([0, 1, 2, 4, 5, 9]))[:, 0, 0].tolist() == [11, 10, 20, 22, 30, 40]


def test_the_best_epoch_has_the_best_mean_over_data_sets(eagerly, capsys):
    dev = photos_of(4, "a red dog runs here", sources=[("large", 3), ("small", 1)])
    dev = replace(dev, captions=[["a red dog runs here"]] * 3 + [["a cat sits there"]])
    trainer = make_trainer(photos_of(4, "a red dog runs here"), dev)
    _, scores = trainer.dev.score(["a red dog runs here"] * 3 + ["a bird flies"])
    assert list(scores) == ["large", "small"]
    assert scores["large"].bleu_1 == pytest.approx(100)
    assert scores["small"].bleu_1 < 50
    assert trainer.run()
    record = trainer.progress.history[0]
    expected = np.mean([part["cider"] for part in record["by_data"].values()])
    assert trainer.progress.best == pytest.approx(expected)
    capsys.readouterr()
    show_event({"event": "epoch", "epochs": 1, **record})
    line = capsys.readouterr().err.strip()
    assert re.search(r"CIDEr \d+\.\d \(large \d+\.\d, small \d+\.\d\)$", line)


def test_one_data_set_alone_is_scored_as_before(eagerly):
    trainer = make_trainer(photos_of(4, "a dog"), photos_of(2, "a dog"))
    assert trainer.run()
    record = trainer.progress.history[0]
    assert "by_data" not in record
    assert trainer.progress.best == record["cider"]


def test_a_step_learns_sentences_with_the_mean_photo(eagerly):
    decoder = make_decoder()
    decoder.scaling.adapt(np.arange(6, dtype=np.float32), np.full(6, 2, np.float32))
    model = TeacherForcing(decoder, None, label_smoothing=0.0)
    features = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    rows = VOCABULARY.rows(["a red dog", "a cat sits"], max_length=6)[:, None]
    batch = make_batch(features, rows)
    drawn = Sentences(["a bird flies"], VOCABULARY, max_length=6, per_step=3, weight=0.25, seed=0)
    model.compile(optimizer="sgd")
    blank = np.broadcast_to(np.arange(6, dtype=np.float32), (1, *SHAPE))
    alone = make_batch(blank, VOCABULARY.rows(["a bird flies"], max_length=6)[None])
    both = model.loss_of(drawn.add_to(batch, np.arange(2)))
    assert both == pytest.approx(model.loss_of(batch) + 0.25 * model.loss_of(alone), rel=1e-5)


def test_sentences_with_unknown_words_are_left_out():
    given = ["a dog runs", "a unicorn runs", "a red cat sits"]
    drawn = Sentences(given, VOCABULARY, max_length=6, per_step=20, weight=1.0, seed=0)
    batch = make_batch(np.zeros((1, *SHAPE)), VOCABULARY.rows(["a dog"], max_length=6)[None])
    found = drawn.add_to(batch, np.array([4])).sentences
    assert found.shape[:2] == (1, 20)
    assert not (found == UNK).any()
    with pytest.raises(DatasetError, match="words in the vocabulary"):
        Sentences(["unicorns"], VOCABULARY, max_length=6, per_step=1, weight=1.0, seed=0)


@pytest.mark.parametrize("name", ["s.txt", "s.txt.xz"])
def test_sentences_are_read_one_a_line(tmp_path, name):
    data = "a café\n\n two dogs \n".encode()
    (tmp_path / name).write_bytes(lzma.compress(data) if name.endswith("xz") else data)
    assert read_sentences(tmp_path / name) == ["a café", "two dogs"]


@pytest.mark.parametrize("content", [None, b"\n", b"\xff\xfe\x00"])
def test_a_file_without_sentences_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=r"s\.txt"):
        read_sentences(tmp_path / "s.txt")


def test_frequent_words_of_sentences_are_known_too():
    vocabulary = Vocabulary.build(
        ["a dog", "a dog", "a cat"],
        min_count=2,
        sentences=["a pizza"] * 3 + ["a cat"] * 2,
        sentence_min_count=3,
    )
    assert vocabulary.words == (*SPECIAL, "a", "dog", "pizza")


@pytest.mark.slow
def test_the_command_trains_on_two_data_sets_and_sentences(
    shapes, tmp_path, data_home, eagerly, capsys
):
    further = generate_shapes(tmp_path / "more", count=30, seed=2)
    (tmp_path / "sentences.txt").write_text("a red circle\na blue square\n")
    config = tmp_path / "config.json"
    config.write_text(
        '{"name": "mixed", "encoder": {"name": "efficientnetlite2", "input_size": 64},'
        ' "decoder": {"kind": "attention", "embedding_size": 8, "units": 16, "heads": 2},'
        ' "extra_repeats": 2, "epochs": 1, "limit_images": 6, "score_images": 2, "min_count": 1}'
    )
    sets = ["--set", f"sentences={tmp_path / 'sentences.txt'}", "--set", "sentences_per_step=4"]
    folders = ["--data", str(shapes.root), "--data", str(further.root)]
    assert main(["train", "--config", str(config), *folders, *sets]) == 0
    bundle = read_bundle("mixed")
    assert bundle.feature_shape == (4, 1280)
    assert bundle.metrics["training"]["photos"] == 12
    assert bundle.metrics["training"]["extra_data"] == [further.name]
    assert f"training splits of {shapes.name} and {further.name}, 12 photos" in bundle.card
    assert "sentences of sentences.txt" in bundle.card
    # A model travels; it must not tell where files lie on the machine that trained it.
    for file in ("README.md", "metrics.json"):
        assert str(tmp_path) not in (bundle.folder / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("changes", [{"objective": "self_critical"}, {"teachers": ("x",)}])
def test_sentences_need_true_captions(shapes, changes):
    config = TrainingConfig(sentences="s.txt", **changes)
    with pytest.raises(ConfigError, match="Sentences without photos"):
        prepare(config, shapes)


def test_further_data_sets_have_their_own_repeats_and_need_no_dev_split(shapes, tmp_path):
    further = generate_shapes(tmp_path / "more", count=30, seed=2)
    labelled = tmp_path / "labelled"
    labelled.mkdir()
    rows = ["image,caption,split"]
    for photo in shapes.split("train")[:3]:
        (labelled / photo.name).write_bytes(shapes.path(photo).read_bytes())
        rows.append(f"{photo.name},a red circle,train")
    (labelled / "captions.csv").write_text("\n".join(rows))
    encoder = EncoderConfig(name="efficientnetlite2", input_size=64)
    config = TrainingConfig(encoder=encoder, extra_repeats=(3, 2), limit_images=6)
    sets = (shapes, further, load(labelled))
    inputs = from_features(config, StoredFeatures(sets, lambda event: None, lambda: False))
    assert inputs.train.repeats.tolist() == [1] * 6 + [3] * 6 + [2] * 3
    assert [name for name, _ in inputs.dev.sources] == [shapes.name, further.name]
    with pytest.raises(ConfigError, match="extra_repeats has 3 numbers for 2"):
        from_features(
            config.replace(extra_repeats=(1, 2, 3)),
            StoredFeatures(sets, lambda event: None, lambda: False),
        )
