"""Bundles: what is written is what is read, and every fault names its file."""

import json
import os
import pickle
import shutil
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from captioning import bundle as bundles
from captioning.arrays import weights_of
from captioning.bundle import (
    SCORES_BEGIN,
    SCORES_END,
    add_scores,
    check_bundle_folder,
    default_model,
    find_bundles,
    listing,
    read_bundle,
    score_table,
)
from captioning.captioner import Captioner
from captioning.config import DecodingConfig, EncoderConfig
from captioning.decoders import build_decoder
from captioning.errors import BundleError
from captioning.inference.keras_decoder import KerasDecoder
from captioning.storage import read_json

EVALUATION = {
    "model": "tiny",
    "data": "shapes",
    "split": "test",
    "images": 4,
    "beam_width": 3,
    "length_penalty": 0.7,
    "bleu_1": 61.25,
    "bleu_2": 42.0,
    "bleu_3": 30.0,
    "bleu_4": 21.75,
    "rouge_l": 45.5,
    "cider": 57.25,
    "protocol": "as always",
    "seconds": 1.5,
}


@pytest.fixture
def models(data_home, monkeypatch, tmp_path):
    """Where people's models lie; none is shipped."""
    monkeypatch.setattr("captioning.bundle.reading.shipped_models", lambda: tmp_path / "shipped")
    return data_home / "models"


@pytest.fixture
def bundle(write_tiny_bundle, models):
    """A bundle that a test may damage."""
    return write_tiny_bundle(models / "tiny")


def load(folder):
    """Read all of a bundle, as captioning a photo does."""
    return Captioner.load(folder)


def said_of(captioner, photo):
    """Greedy captions of two photos."""
    features = captioner.encode([photo, photo.rotate(90)])
    greedy = captioner.describe(features, DecodingConfig(beam_width=1))
    return [(caption.text, round(caption.log_prob, 3)) for caption in greedy]


# Writing and reading


def test_a_bundle_comes_back_as_it_was_written(tiny_bundle, write_tiny_bundle, models):
    metrics, history = {"training": {"photos": 3}}, [{"epoch": 1, "loss": 2.5}, {"epoch": 2}]
    decoding = DecodingConfig(beam_width=5, length_penalty=1.0)
    written = write_tiny_bundle(
        models / "other",
        metrics=metrics,
        history=history,
        card="# Größe\n",
        decoding=decoding,
    )
    read = read_bundle("other")
    assert read.name == "other"
    assert read.folder == written.folder == (models / "other").resolve()
    assert (read.encoder, read.decoder) == (tiny_bundle.encoder, tiny_bundle.decoder)
    assert read.decoding == decoding
    assert read.feature_shape == (64, 64)
    assert read.vocabulary.words == tiny_bundle.vocabulary.words
    assert (read.metrics, read.history(), read.card) == (metrics, history, "# Größe\n")
    assert read_bundle(models / "other").decoder == read.decoder
    content = json.loads((read.folder / "config.json").read_text())
    assert content["format_version"] == 1
    assert set(content["versions"]) >= {"keras", "numpy"}


def test_a_bundle_writes_the_same_captions_wherever_it_lies(tiny_captioner, tmp_path, photo):
    shutil.copytree(tiny_captioner.bundle.folder, tmp_path / "copy")
    copy = Captioner.load(tmp_path / "copy")
    ours, theirs = (said_of(captioner, photo) for captioner in (tiny_captioner, copy))
    assert ours == theirs


def test_only_known_files_are_written_and_anyone_may_read_them(write_tiny_bundle, tmp_path):
    mask = os.umask(0o022)
    try:
        folder = write_tiny_bundle(tmp_path / "new" / "one", metrics={}).folder
    finally:
        os.umask(mask)
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("README.md", "config.json", "vocabulary.json", "metrics.json", "history.jsonl"),
        *("decoder.safetensors", "encoder.safetensors"),
    }
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644, path.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_arrays_are_half_as_wide_on_the_disk(bundle):
    for name in ("decoder", "encoder"):
        stored = load_file(bundle.folder / f"{name}.safetensors")
        assert {array.dtype for array in stored.values()} == {np.dtype(np.float16)}
        assert (bundle.folder / f"{name}.safetensors").stat().st_size < 2.5 * sum(
            array.size for array in stored.values()
        ) + 200 * len(stored)


def test_an_array_too_large_for_half_precision_is_kept_whole(write_tiny_bundle, bundle, models):
    arrays = {**bundle.decoder_arrays(), "decoder/large": np.array([1.0, 70_000.0], np.float32)}
    stored = write_tiny_bundle(models / "large", decoder_arrays=arrays).decoder_arrays()
    assert stored["decoder/large"].tolist() == [1.0, 70_000.0]
    assert stored["decoder/large"].dtype == np.float32


def test_arrays_of_any_layout_come_back(write_tiny_bundle, models):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    written = write_tiny_bundle(
        models / "x", decoder_arrays={"turned": array.T, "every second": array[:, ::2]}
    ).decoder_arrays()
    np.testing.assert_array_equal(written["turned"], array.T)
    np.testing.assert_array_equal(written["every second"], array[:, ::2])


def test_a_bundle_is_replaced_as_a_whole(write_tiny_bundle, models, monkeypatch):
    write_tiny_bundle(models / "one", card="first", metrics={"training": {}})
    write_tiny_bundle(models / "one", card="second")
    assert read_bundle("one").card == "second"
    assert not (models / "one" / "metrics.json").exists()
    assert [path.name for path in models.iterdir()] == ["one"]


@pytest.mark.parametrize("moment", ["write_arrays", "replace"])
def test_a_bundle_that_cannot_be_written_leaves_the_old_one(
    write_tiny_bundle, models, monkeypatch, moment
):
    write_tiny_bundle(models / "one", card="first")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    replace = os.replace
    if moment == "write_arrays":
        monkeypatch.setattr("captioning.bundle.writing.write_arrays", full)
    else:
        monkeypatch.setattr(
            "os.replace", lambda a, b: full() if Path(a).name == ".one.part" else replace(a, b)
        )
    with pytest.raises(BundleError, match="No space left"):
        write_tiny_bundle(models / "one", card="second")
    assert read_bundle("one").card == "first"
    assert [path.name for path in models.iterdir()] == ["one"]


def test_a_folder_of_something_else_is_never_replaced(write_tiny_bundle, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dog.jpg").write_bytes(b"dear to somebody")
    (tmp_path / "file").write_text("dear too")
    monkeypatch.chdir(tmp_path / "photos")
    for place in (tmp_path / "photos", tmp_path / "file", Path("."), tmp_path, Path("/")):
        with pytest.raises(BundleError, match="not a model"):
            write_tiny_bundle(place)
        with pytest.raises(BundleError, match="not a model"):
            check_bundle_folder(place)
    assert (tmp_path / "photos" / "dog.jpg").read_bytes() == b"dear to somebody"
    (tmp_path / "empty").mkdir()
    assert write_tiny_bundle(tmp_path / "empty").name == "empty"


def test_the_bundle_that_was_written_is_the_one_that_is_returned(
    write_tiny_bundle, models, tmp_path, monkeypatch
):
    """Also if one of the same name lies among the models, where names are looked for first."""
    write_tiny_bundle(models / "one", card="among the models")
    monkeypatch.chdir(tmp_path)
    written = write_tiny_bundle(Path("one"), card="here")
    assert written.card == "here"
    assert written.folder == (tmp_path / "one").resolve()


# Finding


def test_bundles_are_listed_by_name_people_s_own_first(write_tiny_bundle, models, tmp_path):
    assert find_bundles() == []
    write_tiny_bundle(tmp_path / "shipped" / "b", card="shipped")
    write_tiny_bundle(tmp_path / "shipped" / "c", card="shipped")
    write_tiny_bundle(models / "b", card="own")
    write_tiny_bundle(models / "a", card="own")
    assert [(b.name, b.card) for b in find_bundles()] == [
        ("a", "own"),
        ("b", "own"),
        ("c", "shipped"),
    ]
    assert read_bundle("b").card == "own"


def test_damaged_and_half_written_bundles_are_not_listed(write_tiny_bundle, bundle, models):
    shutil.copytree(bundle.folder, models / ".half.part")
    shutil.copytree(bundle.folder, models / "bad")
    (models / "bad" / "vocabulary.json").write_text("{")
    (models / "empty").mkdir()
    (models / "notes.txt").write_text("not a bundle")
    assert [b.name for b in find_bundles()] == ["tiny"]
    with pytest.raises(BundleError, match="vocabulary.json"):
        read_bundle("bad")


def test_an_unknown_name_is_answered_with_the_known_ones(write_tiny_bundle, bundle, models):
    shutil.copytree(bundle.folder, models / ".half.part")
    (models / "notes.txt").write_text("not a bundle")
    for name in ("nonesuch", "~nobody-of-that-name", "x" * 5000, "a\0b", "", ".."):
        with pytest.raises(BundleError, match="no model called") as caught:
            read_bundle(name)
        assert "Known: tiny. " in str(caught.value)
    shutil.rmtree(models)
    with pytest.raises(BundleError, match="Known: none yet"):
        read_bundle("nonesuch")


def test_the_model_that_captions_when_none_is_named(write_tiny_bundle, models):
    with pytest.raises(BundleError, match="no model yet.*captioning train"):
        default_model()
    write_tiny_bundle(models / "zebra")
    assert default_model() == "zebra"
    write_tiny_bundle(models / "antelope")
    assert default_model() == "antelope"
    for name in reversed(bundles.listing.PREFERRED):
        write_tiny_bundle(models / name)
        assert default_model() == name


# Damage


def nested(depth):
    """An object inside an object, and so on; Python can parse it, but not always print it."""
    return {"a": nested(depth - 1)} if depth else {}


def change_json(path, **changes):
    content = json.loads(path.read_text())
    for key, value in changes.items():
        content.pop(key, None)
        if value is not ...:
            content[key] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "version 2; this program reads 1"),
        ({"format_version": ...}, "version None"),
        ({"encoder": ...}, "'encoder' is missing"),
        ({"decoder": ...}, "'decoder' is missing"),
        ({"decoding": ...}, "'decoding' is missing"),
        ({"feature_shape": ...}, "'feature_shape' is missing"),
        ({"encoder": "xception"}, "'xception'"),
        ({"encoder": {"name": "alexnet"}}, "'alexnet'"),
        ({"encoder": {"name": "compact", "layer": "top", "input_size": 32}}, "'top'"),
        ({"decoder": {"kind": "transformer"}}, "'transformer'"),
        ({"decoder": {"units": "many"}}, "units.*'many'"),
        ({"decoder": {"layers": 3}}, "'layers'"),
        ({"decoding": {"beam_width": 0}}, "beam_width.*0"),
        ({"feature_shape": "64x64"}, "feature_shape.*'64x64'"),
        ({"feature_shape": [64, -1]}, "feature_shape"),
        ({"feature_shape": [64, 64.5]}, "feature_shape"),
        ({"feature_shape": [64, True]}, "feature_shape"),
        ({"feature_shape": []}, "feature_shape"),
        ({"feature_shape": [8, 8, 64]}, "feature_shape"),
        ({"feature_shape": [10**6, 10**9]}, "feature_shape"),
        ({"feature_shape": [64]}, "map of regions"),
        ({"feature_shape": [49, 64]}, r"\(49, 64\).*\(64, 64\)"),
        ({"encoder_from": 3}, "encoder_from.*3"),
        ({"encoder_from": "../elsewhere"}, "encoder_from.*'../elsewhere'"),
        ({"encoder_from": "/etc"}, "encoder_from.*'/etc'"),
        ({"encoder_from": ""}, "encoder_from.*''"),
        ({"encoder_from": ".."}, r"encoder_from.*'\.\.'"),
        ({"encoder_from": "~root"}, "encoder_from.*'~root'"),
        ({"decoding": {"prefix": nested(900)}}, r"prefix.*\.\.\."),
        ({"decoding": {"required_words": nested(900)}}, r"required_words.*\.\.\."),
    ],
    ids=lambda value: json.dumps(value, default=str)[:60] if isinstance(value, dict) else "",
)
def test_a_strange_setting_is_named_with_its_file(bundle, changes, message):
    change_json(bundle.folder / "config.json", **changes)
    with pytest.raises(BundleError, match=message) as caught:
        load(bundle.folder)
    assert str(bundle.folder / "config.json") in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "metrics.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_damaged_json_is_named(bundle, name, content):
    (bundle.folder / name).write_bytes(content)
    with pytest.raises(BundleError) as caught:
        read_bundle(bundle.folder)
    assert str(bundle.folder / name) in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "no model called"),
        ("vocabulary.json", "vocabulary.json"),
        ("decoder.safetensors", "decoder.safetensors"),
        ("encoder.safetensors", "encoder.safetensors"),
    ],
)
def test_a_missing_file_is_named(bundle, name, message):
    (bundle.folder / name).unlink()
    with pytest.raises(BundleError, match=message) as caught:
        load(bundle.folder)
    assert str(bundle.folder) in str(caught.value)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (None, {"feature_shape": [100_000, 100_000]}),
        (None, {"feature_shape": [10**30]}),
        (None, {"feature_shape": [1, 1_000_000]}),
        (None, {"feature_shape": [1_000_000, 1]}),
        ("decoder", {"units": 2048, "embedding_size": 2048}),
    ],
)
def test_sizes_that_the_files_have_no_room_for_are_refused_unbuilt(bundle, part, changes):
    path = bundle.folder / "config.json"
    content = json.loads(path.read_text())
    (content if part is None else content[part]).update(changes)
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"config\.json.* (room for|numbers in all)"):
        load(bundle.folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_settings_give_a_bundle_or_a_sentence(bundle, data):
    path = bundle.folder / "config.json"
    whole = path.read_text()
    content = json.loads(whole)
    place = data.draw(st.sampled_from([content, content["encoder"], content["decoder"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    try:
        path.write_text(json.dumps(content))
        read_bundle(bundle.folder)
    except BundleError as error:
        assert str(error)
    finally:
        path.write_text(whole)


def test_what_may_be_missing_may_be_missing(bundle):
    for name in ("README.md", "history.jsonl"):
        (bundle.folder / name).unlink()
    read = load(bundle.folder).bundle
    assert (read.card, read.history(), read.metrics, read.scores()) == ("", [], None, [])


def wrong_type(path):
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def with_shape(shape):
    header = json.dumps({"a": {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]}}).encode()
    return struct.pack("<Q", len(header)) + header


def with_changes(change):
    def damage(path):
        arrays = load_file(path)
        change(arrays, sorted(arrays)[0])
        save_file(arrays, path)

    return damage


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "text": lambda path: path.write_text("git-lfs pointer"),
    "endless header": lambda path: path.write_bytes(b"\xff" * 64),
    "strange type": wrong_type,
    "one less": with_changes(lambda arrays, name: arrays.pop(name)),
    "one more": with_changes(lambda arrays, name: arrays.update(extra=arrays[name])),
    "another shape": with_changes(
        lambda arrays, name: arrays.update({name: arrays[name][..., 1:]})
    ),
    "not finite": with_changes(lambda arrays, name: arrays.update({name: arrays[name] * np.inf})),
    "impossible shape": lambda path: path.write_bytes(with_shape([0, 2**62, 2**62])),
    "100 dimensions": lambda path: path.write_bytes(with_shape([0] * 100)),
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"a": 1})),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize("which", ["decoder", "encoder"])
@pytest.mark.parametrize("damage", list(DAMAGES))
def test_damaged_arrays_are_named(bundle, which, damage):
    path = bundle.folder / f"{which}.safetensors"
    DAMAGES[damage](path)
    with pytest.raises(BundleError) as caught:
        load(bundle.folder)
    text = str(caught.value)
    assert str(bundle.folder) in text
    assert path.name in text
    assert len(text) < 500


def test_a_vocabulary_of_another_model_does_not_fit(bundle):
    path = bundle.folder / "vocabulary.json"
    change_json(path, words=[*bundle.vocabulary.words, "extra"])
    with pytest.raises(BundleError, match="shape"):
        load(bundle.folder)


def test_a_damaged_history_is_named(bundle):
    path = bundle.folder / "history.jsonl"
    path.write_text('{"epoch": 1}\n\n{"epoch": 2}\n')
    assert bundle.history() == [{"epoch": 1}, {"epoch": 2}]
    for content in ('{"epoch": 1}\n{"ep', "3\n", "[]\n", "\xff", "{}\n" * 2_000_000):
        path.write_text(content, encoding="latin-1")
        with pytest.raises(BundleError, match="history.jsonl"):
            bundle.history()


class Bomb:
    """Goes off when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle from a bundle was opened",))


@pytest.mark.parametrize("name", ["config", "metrics", "calibration", "vocabulary"])
def test_json_larger_than_any_bundle_s_is_refused_unread(bundle, name):
    (bundle.folder / "calibration.safetensors").touch()
    path = bundle.folder / f"{name}.json"
    path.write_text("{" + " " * 20_000_000 + "}")
    with pytest.raises(BundleError, match=f"{name}.json cannot be read"):
        read_bundle(bundle.folder).calibration()


def test_the_arrays_of_a_calibration_have_a_size(bundle):
    (bundle.folder / "calibration.json").write_text("{}")
    with (bundle.folder / "calibration.safetensors").open("wb") as file:
        file.truncate(100_000_001)
    with pytest.raises(BundleError, match="not a file of weights"):
        bundle.calibration()


def test_nothing_in_a_bundle_is_ever_run(bundle, photo, monkeypatch):
    bomb = pickle.dumps(Bomb())
    for name in ("model.pkl", "decoder.keras", "decoder.pkl", "vocabulary.pkl", "decoder.npy"):
        (bundle.folder / name).write_bytes(bomb)
    for function in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, function, lambda *a, **k: pytest.fail("pickle was used"))
    assert said_of(load(bundle.folder), photo)


# An encoder that is shared


def test_a_bundle_may_take_its_encoder_from_another(bundle, write_tiny_bundle, models, photo):
    borrower = write_tiny_bundle(models / "borrower", encoder_arrays=None, encoder_from="tiny")
    assert not (borrower.folder / "encoder.safetensors").exists()
    assert read_bundle("borrower").encoder_from == "tiny"
    ours, theirs = (said_of(load(name), photo) for name in ("tiny", "borrower"))
    assert ours == theirs
    shutil.rmtree(bundle.folder)
    with pytest.raises(BundleError, match="no model called 'tiny'"):
        load(borrower.folder)


def test_an_encoder_is_not_borrowed_from_a_borrower(write_tiny_bundle, models):
    for name, lender in (("a", "b"), ("b", "a"), ("self", "self")):
        write_tiny_bundle(models / name, encoder_arrays=None, encoder_from=lender)
    for name in ("a", "b", "self"):
        with pytest.raises(BundleError, match="does not have its own") as caught:
            load(name)
        assert str(models / name / "config.json") in str(caught.value)


def test_an_imagenet_encoder_is_not_stored(write_tiny_bundle, models):
    bundle = write_tiny_bundle(
        models / "x", encoder=EncoderConfig(name="xception"), encoder_arrays=None
    )
    assert bundle.encoder_arrays() is None


# Scores


def test_scores_of_different_data_are_kept_together(bundle):
    dev = {**EVALUATION, "split": "dev", "bleu_4": 30.0}
    greedy = {**EVALUATION, "beam_width": 1}
    for evaluation in (EVALUATION, dev, greedy):
        add_scores(bundle, evaluation)  # always the bundle as it was loaded
    kept = read_bundle(bundle.folder).scores()
    assert len(kept) == 3
    assert all(evaluation in kept for evaluation in (EVALUATION, dev, greedy))
    add_scores(bundle, {**dev, "bleu_4": 31.0})
    kept = read_bundle(bundle.folder).scores()
    assert sorted(e["bleu_4"] for e in kept) == [21.75, 21.75, 31.0]


@pytest.mark.parametrize(
    "change",
    [{"length_penalty": 10**400}, {"cider": 10**400}, {"intervals": {"cider": [0, 10**400]}}],
)
def test_scores_too_large_for_a_float_are_reported(bundle, change):
    metrics = {"evaluations": [{**EVALUATION, **change}]}
    (bundle.folder / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(BundleError, match=f"metrics.json: the {next(iter(change))}"):
        read_bundle(bundle.folder)


def test_scores_leave_the_rest_of_metrics_and_card_alone(write_tiny_bundle, models):
    card = f"# A\n\n{SCORES_BEGIN}\nold\n{SCORES_END}\n\nafter {SCORES_END}\n"
    bundle = write_tiny_bundle(models / "x", metrics={"training": {"photos": 3}}, card=card)
    for _ in range(2):
        add_scores(bundle, EVALUATION)
    read = read_bundle("x")
    assert read.metrics["training"] == {"photos": 3}
    assert read.card == (
        f"# A\n\n{SCORES_BEGIN}\n{score_table([EVALUATION])}{SCORES_END}\n\nafter {SCORES_END}\n"
    )
    plain = write_tiny_bundle(models / "y", card="# no place for scores\n")
    add_scores(plain, EVALUATION)
    assert read_bundle("y").card == "# no place for scores\n"
    assert read_bundle("y").scores() == [EVALUATION]


def test_the_table_has_a_row_for_each_evaluation_and_a_cell_for_each_column():
    lines = score_table([EVALUATION, {**EVALUATION, "split": "dev"}]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {12}
    assert "| shapes | test | 4 | 3 | 0.7 | 61.2 | 42.0 | 30.0 | 21.8 | 45.5 | 57.2 |" in lines
    assert score_table([]) == ""


def test_intervals_are_shown_with_their_scores():
    edges = {"bleu_1": [60.0, 62.0], "bleu_4": [20.04, 23.5], "cider": [52.0, 62.96]}
    row = score_table([{**EVALUATION, "intervals": edges}]).splitlines()[-1]
    assert "| 61.2 | 42.0 | 30.0 | 21.8 (20.0 to 23.5) | 45.5 | 57.2 (52.0 to 63.0) |" in row


def test_a_model_with_a_gru_comes_back_from_its_folder(write_tiny_bundle, models, bundle, photo):
    config = bundle.decoder.replace(cell="gru")
    decoder = build_decoder(
        config, vocabulary_size=len(bundle.vocabulary), feature_shape=bundle.feature_shape
    )
    folder = write_tiny_bundle(
        models / "gru", decoder=config, decoder_arrays=weights_of(decoder)
    ).folder
    loaded = Captioner.load(folder)
    assert loaded.bundle.decoder.cell == "gru"
    again = Captioner(loaded.bundle, KerasDecoder(decoder), loaded.encoder)
    assert said_of(loaded, photo) == said_of(again, photo)


def test_listing_reads_no_file_again_that_has_not_changed(bundle, monkeypatch):
    monkeypatch.setattr("captioning.bundle.listing._SETTLED_NS", 0)
    reads = []

    def counted(path, *kind, **error):
        reads.append(path.name)
        return read_json(path, *kind, **error)

    monkeypatch.setattr("captioning.bundle.reading.read_json", counted)
    (first,) = find_bundles()
    assert reads == ["config.json"]
    assert find_bundles() == [first]
    assert reads == ["config.json"]
    (bundle.folder / "README.md").write_text("# Another card\n")
    assert find_bundles()[0].card == "# Another card\n"
    (bundle.folder / "config.json").write_text("{")
    assert find_bundles() == []


def test_a_file_written_just_now_is_read_again(bundle):
    find_bundles()
    assert bundle.folder not in listing._KNOWN


def test_unknown_and_missing_metrics_hide_no_model(bundle):
    without = {name: value for name, value in EVALUATION.items() if name != "cider"}
    evaluations = [{**EVALUATION, "meteor": 25.0}, {**without, "split": "dev"}]
    (bundle.folder / "metrics.json").write_text(json.dumps({"evaluations": evaluations}))
    (found,) = find_bundles()
    assert found.scores() == evaluations
    *_, complete, lacking = score_table(found.scores()).splitlines()
    assert complete.endswith("| 45.5 | 57.2 |") and lacking.endswith("| 45.5 | – |")


@pytest.mark.parametrize(
    "evaluations",
    [
        3,
        [3],
        [{}],
        [{**EVALUATION, "bleu_4": "21"}],
        [{**EVALUATION, "split": None}],
        [{**EVALUATION, "intervals": {"cider": [1]}}],
    ],
    ids=str,
)
def test_scores_that_cannot_be_printed_are_an_error_of_the_file(bundle, evaluations):
    (bundle.folder / "metrics.json").write_text(json.dumps({"evaluations": evaluations}))
    with pytest.raises(BundleError, match="metrics.json"):
        read_bundle(bundle.folder)
    assert find_bundles() == []


def test_weights_that_give_no_sentence_are_an_error(write_tiny_bundle, tmp_path, photo):
    folder = write_tiny_bundle(tmp_path / "model").folder
    arrays = load_file(folder / "decoder.safetensors")
    save_file(
        {name: np.zeros_like(value) for name, value in arrays.items()},
        folder / "decoder.safetensors",
    )
    with pytest.raises(BundleError, match="give no sentence"):
        Captioner.load(folder).caption(photo)
