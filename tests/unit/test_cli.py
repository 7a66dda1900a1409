"""The command line: what it prints, where, and with which exit status."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from captioning.__main__ import main
from captioning.bundle import read_bundle
from captioning.config import TrainingConfig
from captioning.datasets import generate_shapes, load
from captioning.runs import Runs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(capsys):
    """Run a command in this process; returns exit status, stdout, stderr."""

    def run(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def nothing_is_shipped(monkeypatch, tmp_path):
    """The model that comes with the program needs weights that do not."""
    monkeypatch.setattr("captioning.bundle.reading.shipped_models", lambda: tmp_path / "shipped")


@pytest.fixture
def models(data_home, tiny_bundle):
    """The tiny model among people's own."""
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "tiny")
    return data_home / "models"


@pytest.fixture
def loaded(models, tiny_captioner, monkeypatch):
    """The tiny model, compiled once for all tests."""

    def load(name):
        assert read_bundle(name).name == "tiny"
        return tiny_captioner

    monkeypatch.setattr("captioning.captioner.Captioner.load", load)


@pytest.fixture
def photos(shapes, tmp_path):
    """Two photos and two that cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, photo in zip(("a.png", "b.png"), shapes.photos, strict=False):
        shutil.copy(shapes.path(photo), folder / name)
    (folder / "text.jpg").write_text("not a photo")
    (folder / "empty.png").write_bytes(b"")
    return folder


# In a process of its own


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


HEAVY = "keras tensorflow jax torch streamlit pandas matplotlib"
LOADED = f"print(sorted({{m.split('.')[0] for m in sys.modules}} & set('{HEAVY}'.split())))"


@pytest.mark.process
def test_importing_the_library_loads_nothing_heavy():
    ended = python("-c", f"import sys, captioning; dir(captioning); {LOADED}")
    assert ended.stdout.strip() == "[]", ended.stderr


@pytest.mark.process
def test_what_needs_no_model_loads_no_keras(shapes, tmp_path):
    """Help, data sets and the list of models answer at once."""
    helps = [
        [],
        *([name] for name in "caption evaluate train search features".split()),
        *([name] for name in "data models tutorial serve".split()),
    ]
    lines = [
        *([*words, "--help"] for words in helps),
        ["models"],
        ["data", "verify", str(shapes.root)],
        ["data", "shapes", "--count", "1", str(tmp_path / "one")],
    ]
    code = f"""
import sys
from captioning.__main__ import main
for line in {lines!r}:
    try:
        assert main(line) == 0
    except SystemExit as end:
        assert end.code == 0
{LOADED}
"""
    ended = python("-c", code, CAPTIONING_DATA=str(tmp_path))
    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr


def test_a_caption_from_a_shell(photos, tiny_bundle):
    """Warnings of TensorFlow's do not get between the captions, on either stream."""
    arguments = ["-m", "captioning", "caption", "--json", "--model", tiny_bundle.folder]
    ended = python(*arguments, photos / "a.png", photos / "text.jpg", photos / "b.png")
    found = objects(ended.stdout)
    assert [Path(one["photo"]).name for one in found] == ["a.png", "text.jpg", "b.png"]
    assert [("caption" in one, "error" in one) for one in found] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    assert ended.returncode == 1
    assert ended.stderr == ""


# caption


def test_json_has_an_object_a_photo(command, photos, models):
    status, out, err = command("caption", photos / "a.png", "--model", "tiny", "--json")
    (found,) = objects(out)
    assert (status, err) == (0, "")
    assert found["photo"] == str(photos / "a.png")
    assert found["model"] == "tiny"
    assert found["seconds"] > 0
    assert found["caption"] == " ".join(word["word"] for word in found["words"])
    assert found["log_prob"] == pytest.approx(sum(word["log_prob"] for word in found["words"]))
    assert len(found["alternatives"]) == 2
    assert all(set(other) == {"caption", "log_prob"} for other in found["alternatives"])


def test_a_sentence_alone_is_printed_alone_and_others_with_their_photo(command, photos, loaded):
    status, out, err = command("caption", photos / "a.png")
    assert (status, err) == (0, "")
    (sentence,) = out.splitlines()
    status, out, err = command("caption", photos / "a.png", photos / "b.png")
    assert status == 0
    assert out.splitlines()[0] == f"{photos / 'a.png'}: {sentence}"
    assert len(out.splitlines()) == 2


def test_a_bad_photo_does_not_stop_the_others(command, photos, loaded):
    names = ["text.jpg", "a.png", "empty.png", "nonesuch.png", "b.png"]
    status, out, err = command("caption", *(photos / name for name in names))
    assert status == 1
    assert [Path(line.split(":")[0]).name for line in out.splitlines()] == ["a.png", "b.png"]
    assert len(err.splitlines()) == 3
    for name in ("text.jpg", "empty.png", "nonesuch.png"):
        assert name in err
    status, out, err = command("caption", "--json", *(photos / name for name in names))
    assert (status, err) == (1, "")
    assert ["error" in one for one in objects(out)] == [True, False, True, True, False]
    assert all(one["error"] for one in objects(out) if "error" in one)


def test_a_name_that_cannot_be_printed_is_no_reason_to_fail(command, photos, loaded):
    name = os.fsdecode(os.fsencode(str(photos)) + b"/caf\xe9.png")
    shutil.copy(photos / "a.png", name)
    status, out, err = command("caption", "--json", name, "--beam-width", 1)
    assert (status, err) == (0, "")
    assert objects(out)[0]["photo"] == rf"{photos}/caf\xe9.png"
    assert command("caption", name, photos / "b.png")[0] == 0
    assert command("caption", name + "x", photos / "b.png")[0] == 1


def test_the_width_of_the_beam_can_be_chosen(command, photos, loaded):
    for width in (1, 5):
        _, out, _ = command("caption", photos / "a.png", "--json", "--beam-width", width)
        assert len(objects(out)[0]["alternatives"]) == width - 1


# evaluate


def test_uncertain_details_can_be_left_out(command, photos, loaded):
    _, out, _ = command("caption", photos / "a.png", "--json", "--detail-certainty", 0.3)
    assert json.loads(out)["decoding"]["detail_certainty"] == 0.3


def test_evaluate_prints_scores_with_their_protocol(command, shapes, models):
    status, out, err = command("evaluate", "--model", "tiny", "--data", shapes.root, "--json")
    (found,) = objects(out)
    assert status == 0
    assert "4 of 4" in err
    assert "shapes: " in err
    assert set(found) >= {
        *("model", "data", "split", "images", "beam_width", "length_penalty", "seconds"),
        *("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"),
    }
    assert (found["model"], found["data"], found["split"]) == ("tiny", "shapes", "test")
    assert (found["images"], found["beam_width"]) == (4, 3)
    assert 0 < found["bleu_1"] <= 100
    assert read_bundle("tiny").scores() == []


def test_evaluate_says_that_the_cider_of_one_photo_is_zero(command, models, tmp_path):
    generate_shapes(tmp_path / "ten", count=10, seed=0)
    status, _, err = command("evaluate", "--model", "tiny", "--data", tmp_path / "ten")
    assert status == 0
    assert "its CIDEr is always 0" in err


def test_evaluate_names_all_photos_that_cannot_be_read_and_scores_the_others(
    command, models, tmp_path
):
    dataset = generate_shapes(tmp_path / "thirty", count=30, seed=0)
    bad = [photo.name for photo in dataset.split("test")[:2]]
    for name in bad:
        (dataset.folder / name).write_text("not a picture")
    status, out, err = command("evaluate", "--model", "tiny", "--data", dataset.root, "--json")
    assert status == 0
    assert "2 photos cannot be read and are left out" in err
    assert all(name in err for name in bad)
    (found,) = objects(out)
    assert found["images"] == 1
    assert all(name in found["data_summary"] for name in bad)
    (dataset.folder / dataset.split("test")[2].name).write_text("not a picture")
    status, _, err = command("evaluate", "--model", "tiny", "--data", dataset.root)
    assert status == 1
    assert "is not a picture" in err


def test_evaluate_keeps_scores_when_asked_to(command, shapes, models):
    arguments = ["evaluate", "--model", "tiny", "--data", shapes.root, "--split", "dev", "--save"]
    status, out, _ = command(*arguments, "--beam-width", 1)
    assert status == 0
    (kept,) = read_bundle("tiny").scores()
    assert (kept["split"], kept["beam_width"]) == ("dev", 1)
    assert re.search(r"split +dev\n", out)
    assert f"{kept['bleu_4']:.1f} (" in read_bundle("tiny").card
    low, high = kept["intervals"]["cider"]
    assert low <= kept["cider"] <= high
    status, out, _ = command("models")
    assert "shapes dev, 4 photos, beam 1" in out
    path = read_bundle("tiny").folder / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["evaluations"][0]["meteor"] = metrics["evaluations"][0].pop("cider")
    path.write_text(json.dumps(metrics))
    status, out, _ = command("models")
    assert re.search(r"shapes dev, 4 photos, beam 1: BLEU-4 [0-9.]+\n", out)


def test_evaluate_holds_the_scores_against_others(command, shapes, models, tmp_path):
    wanted = ["--baselines", "--mistakes", "--against", "tiny", "--out", tmp_path / "report"]
    line = ["evaluate", "--model", "tiny", "--data", shapes.root, "--beam-width", 1]
    status, out, _ = command(*line, *wanted)
    assert status == 0
    assert "There is no real difference between tiny and tiny" in out
    assert "The commonest caption" in out
    assert "Start and end marks counted" in out
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    low, high = report["intervals"]["rouge_l"]
    assert low <= report["rouge_l"] <= high
    assert report["compared_with"]["tiny"]["bleu_4"]["p_value"] == 1.0
    assert len((tmp_path / "report" / "captions.csv").read_text().splitlines()) == 1 + 4


# train and features


SMALL = (
    "epochs=1 images_per_batch=8 shapes_count=20 encoder.input_size=32 encoder.width=4 "
    "decoder.embedding_size=8 decoder.units=16 decoder.heads=2 score_images=2 name=small"
).split()


@pytest.mark.slow
def test_train_leaves_a_bundle_and_ends_with_one_object(command, data_home, eagerly):
    settings = [part for setting in SMALL for part in ("--set", setting)]
    config = ROOT / "configs" / "shapes-two-minutes.json"
    status, out, err = command("train", "--config", config, "--json", *settings)
    assert status == 0, err
    found = objects(out)[-1]
    assert set(found) >= {"bundle", "split", "bleu_4", "cider", "seconds"}
    assert found["split"] == "dev"
    assert Path(found["bundle"]) == data_home / "models" / "small"
    bundle = read_bundle("small")
    assert TrainingConfig.from_dict(bundle.metrics["training"]["configuration"]).epochs == 1
    assert "--set epochs=1" in bundle.card
    assert "epoch 1 of 1" in err
    for message in (err, bundle.card):
        assert "shapes: 20 photos with 100 captions (16 train, 2 dev, 2 test)." in message
    status, out, _ = command("models", "--json")
    assert [one["model"] for one in objects(out)] == ["small"]
    photo = next((data_home / "shapes-20-0" / "Images").iterdir())
    assert command("caption", photo)[0] == 0


@pytest.mark.slow
def test_train_chooses_settings_by_the_data_and_compares_with_baselines(
    command, models, shapes, tmp_path, eagerly
):
    (tmp_path / "mine").mkdir()
    colours = ("red", "blue", "green")
    rows = [
        f"{p.name},a {colours[n % 3]} circle above the {colours[n % 2]} square,{p.split}"
        for n, p in enumerate(shapes.photos)
    ]
    (tmp_path / "mine" / "captions.csv").write_text("\n".join(["image,caption,split", *rows]))
    for shown in shapes.photos:
        shutil.copy(shapes.path(shown), tmp_path / "mine")
    settings = ["--set", "epochs=1", "--set", "score_images=3"]
    status, out, err = command("train", "--data", tmp_path / "mine", "--json", *settings)
    assert status == 0, err
    assert "32 training photos; tiny knows" in err
    found = objects(out)[-1]
    assert set(found["baselines"]) == {"photos", "commonest_cider", "start", "start_cider"}
    assert found["baselines"]["photos"] == 3
    assert "tiny without training on these photos" in found["verdict"]
    bundle = read_bundle("mine tiny")
    assert found["verdict"] in bundle.card
    assert "train --data mine --set epochs=1" in bundle.card


def test_train_takes_the_name_of_a_data_set(command, data_home, shapes, monkeypatch):
    shutil.copytree(shapes.root, data_home / "drawings")
    seen = []
    monkeypatch.setattr(
        "captioning.training.train", lambda config, dataset, **_: seen.append(dataset)
    )
    command("train", "--data", "drawings")
    assert [dataset.root for dataset in seen] == [data_home / "drawings"]
    status, _, err = command("train", "--data", "paintings")
    assert status == 1
    assert "'paintings' does not exist" in err


def test_training_never_begins_where_its_bundle_could_not_be_written(
    command, tmp_path, monkeypatch
):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dog.jpg").write_bytes(b"dear to somebody")
    config = ROOT / "configs" / "shapes-two-minutes.json"
    monkeypatch.setattr("captioning.training.train", None)
    status, out, err = command("train", "--config", config, "--out", tmp_path / "photos")
    assert (status, out) == (1, "")
    assert "not a model" in err
    assert (tmp_path / "photos" / "dog.jpg").exists()


def test_features_are_stored_and_skipped_photos_named(command, shapes, tmp_path, monkeypatch):
    from captioning.encoders import load_encoder

    def with_random_weights(config, **options):
        return load_encoder(config.replace(input_size=32), random_weights=True)

    monkeypatch.setattr("captioning.inference.loading.open_encoder", with_random_weights)
    shutil.copytree(shapes.root, tmp_path / "copy")
    copy = load(tmp_path / "copy")
    copy.path(copy.photos[3]).write_bytes(b"not a photo")
    arguments = ["features", "--encoder", "vgg16", "--layer", "block5_pool", "--data"]
    status, out, err = command(*arguments, copy.root)
    assert status == 0, err
    assert "39 photos, (1, 512)" in out
    assert f"Skipped: The photo '{copy.photos[3].name}'" in out
    assert "40 of 40 photos" in err
    assert "shapes: 40 photos with 200 captions" in err


# data and models


def test_shapes_are_drawn_and_verified(command, tmp_path):
    folder = tmp_path / "shapes"
    status, out, err = command("data", "shapes", "--count", 12, "--seed", 5, folder)
    assert (status, err) == (0, "")
    assert "12 photos" in out
    assert len(load(folder)) == 12
    status, out, _ = command("data", "verify", folder)
    assert status == 0
    assert "12 photos can be read" in out
    next((folder / "Images").iterdir()).write_bytes(b"")
    status, out, _ = command("data", "verify", folder)
    assert status == 1
    assert "1 of 12 photos cannot be read" in out


def test_models_are_listed(command, models, monkeypatch, tmp_path):
    status, out, err = command("models")
    assert (status, err) == (0, "")
    assert "tiny: compact map, attention" in out
    _, out, _ = command("models", "--json")
    (tiny,) = [one for one in objects(out) if one["model"] == "tiny"]
    assert (tiny["encoder"], tiny["decoder"], tiny["words"]) == ("compact", "attention", 21)
    assert tiny["scores"] == []


def test_a_run_s_model_is_published_renamed_and_taken_back(command, models):
    run = Runs().create(TrainingConfig(name="try", data="shapes"))
    shutil.copytree(models / "tiny", run.bundle_folder)
    assert command("models", "publish", run.id, "ours", "--by", "Ada")[0] == 0
    assert "published by Ada on" in command("models")[1]
    assert command("models", "rename", "ours", "theirs")[0] == 0
    assert command("models", "unpublish", "theirs")[0] == 0
    assert not (models / "theirs").exists()
    status, _, err = command("models", "unpublish", "tiny")
    assert status != 0
    assert "not published" in err


# What goes wrong


FLICKR = {"data": "flickr8k"}
WRONG = [
    ("caption a.png --model nonesuch", "no model called 'nonesuch'"),
    ("caption a.png --model ~nobody", "no model called"),
    ("caption a.png --model tiny --beam-width 0", "beam_width.*at least 1.*0"),
    ("caption a.png --model tiny --beam-width 21", "beam_width.*at most 20.*21"),
    ("evaluate --model nonesuch --data SHAPES", "no model called 'nonesuch'"),
    ("evaluate --model tiny --data nowhere", "'nowhere' does not exist"),
    ("evaluate --model tiny --data EMPTY", "not a data set"),
    ("evaluate --model tiny --data SHAPES --against nonesuch", "no model called 'nonesuch'"),
    ("evaluate --model tiny --data SHAPES --length-penalty 3", "length_penalty.*3"),
    ("evaluate --model tiny --data SHAPES --detail-certainty 2", "detail_certainty.*at most 1.*2"),
    ("evaluate --model tiny --data SHAPES --save --detail-certainty 0.4", "whole captions"),
    ("evaluate --model tiny --data SHAPES --length-penalty nan", "length_penalty.*nan"),
    ("train", "--data"),
    ("train --data SHAPES --data SHAPES", "--config"),
    ("train --config nowhere.json", "nowhere.json cannot be read"),
    ("train --config EMPTY", "cannot be read"),
    ("train --config FLICKR", "name its folder with --data"),
    ("train --config FLICKR --data nowhere", "'nowhere' does not exist"),
    ("train --config FLICKR --data EMPTY", "not a data set"),
    ("train --config FLICKR --set epochs", "key=value"),
    ("train --config FLICKR --set epoch=3", "no setting called 'epoch'"),
    ("train --config FLICKR --set epochs=0", "epochs must be at least 1"),
    ("train --config FLICKR --set name=", "name must"),
    ("train --config FLICKR --set name=../up", "name must"),
    ("train --config FLICKR --data SHAPES --set encoder.name=alexnet", "'alexnet'"),
    ("train --config FLICKR --data SHAPES --set train_encoder=true", "compact"),
    ("train --config FLICKR --data SHAPES --out EMPTY/../..", "not a model"),
    ("features --encoder alexnet --data SHAPES", "'alexnet'"),
    ("features --encoder vgg16 --layer top --data SHAPES", "'top'"),
    ("features --encoder compact --data SHAPES", "come with a model"),
    ("features --encoder vgg16 --data nowhere", "'nowhere' does not exist"),
    ("data verify nowhere", "'nowhere' does not exist"),
    ("data verify EMPTY", "not a data set"),
    ("data shapes --count 0 OUT", "out of range"),
    ("data shapes --count -5 OUT", "out of range"),
    ("data shapes --seed -1 OUT", "out of range"),
    ("data shapes ROOT", "contains other files"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_errors_are_one_line_on_stderr_with_status_1(
    line, message, command, shapes, models, photos, tmp_path
):
    places = {
        "SHAPES": shapes.root,
        "EMPTY": tmp_path / "empty",
        "FLICKR": tmp_path / "flickr.json",
        "OUT": tmp_path / "out",
        "ROOT": tmp_path,
        "a.png": photos / "a.png",
    }
    places["EMPTY"].mkdir()
    places["FLICKR"].write_text(json.dumps(FLICKR))
    pattern = "|".join(map(re.escape, places))
    arguments = [re.sub(pattern, lambda m: str(places[m[0]]), word) for word in line.split()]
    status, out, err = command(*arguments)
    assert status == 1
    assert out == ""
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert err.strip().count("\n") <= 5


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "caption",
        "caption a.png --beam-width three",
        "evaluate --model tiny",
        "evaluate --model tiny --data x --split validation",
        "features --encoder vgg16",
        "data",
        "data shapes --count many out",
        "data verify",
        "models --nonsense",
    ],
)
def test_what_is_not_understood_is_status_2_with_the_usage(line, command):
    status, out, err = command(*line.split())
    assert (status, out) == (2, "")
    assert err.startswith("usage: python -m captioning")


def test_stopping_is_no_accident(command, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("captioning.cli.models.find_bundles", interrupted)
    assert command("models") == (130, "", "Stopped.\n")


def test_every_command_of_the_issue_is_there(command):
    status, out, _ = command("--help")
    assert status == 0
    for name in ("caption", "evaluate", "train", "features", "data", "models"):
        assert re.search(rf"^ +{name} ", out, re.MULTILINE)


def test_what_needs_keras_says_how_to_install_it(monkeypatch, capsys):
    def run(arguments):
        raise ModuleNotFoundError("No module named 'keras'", name="keras")

    monkeypatch.setattr("captioning.cli.features.run", run)
    assert main(["features", "--encoder", "xception", "--data", "x"]) == 1
    assert "captioning[train]" in capsys.readouterr().err


def test_a_full_disk_is_reported_in_a_sentence(command, monkeypatch):
    def full(arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "a.json")

    monkeypatch.setattr("captioning.cli.models.run", full)
    status, out, err = command("models")
    assert (status, out) == (1, "")
    assert "cannot be read or written" in err and "No space left" in err
