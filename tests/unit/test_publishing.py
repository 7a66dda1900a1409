"""Publishing a run's model: under a name of its own, with who and when, and back again."""

import json
import os
from datetime import datetime

import pytest

from captioning.bundle import (
    find_bundles,
    is_reserved,
    publish_bundle,
    read_bundle,
    rename_bundle,
    restore_models,
    unpublish_bundle,
)
from captioning.errors import BundleError, ConfigError


@pytest.fixture
def left(write_tiny_bundle, tmp_path):
    """The bundle that a run has left."""
    return write_tiny_bundle(tmp_path / "runs" / "try" / "bundle").folder


@pytest.fixture
def published(left, data_home):
    return publish_bundle(left, "mine", run="try", by="Ada")


def test_a_published_model_says_who_and_when(published, data_home):
    assert published.folder == data_home / "models" / "mine"
    assert (published.published.run, published.published.by) == ("try", "Ada")
    assert datetime.fromisoformat(published.published.at).tzinfo is not None
    assert "mine" in [bundle.name for bundle in find_bundles()]


@pytest.mark.parametrize("name", ["shapes", "Shapes", "flickr8k-xception"])
@pytest.mark.parametrize("replace", [True, False])
def test_names_of_shipped_models_are_reserved(left, data_home, name, replace):
    with pytest.raises(BundleError, match="comes with the app"):
        publish_bundle(left, name, run="try", replace=replace)
    assert not (data_home / "models" / name).exists()
    assert read_bundle("shapes").published is None
    assert is_reserved(name)
    assert not is_reserved("mine")


def test_a_published_model_can_be_renamed_and_taken_back(published, left):
    assert rename_bundle("mine", "ours").published.by == "Ada"
    with pytest.raises(BundleError, match="no model called 'mine'"):
        read_bundle("mine")
    with pytest.raises(BundleError, match="comes with the app"):
        rename_bundle("ours", "shapes")
    with pytest.raises(ConfigError):
        rename_bundle("ours", "../up")
    unpublish_bundle("ours")
    assert "ours" not in [bundle.name for bundle in find_bundles()]
    assert read_bundle(left)
    with pytest.raises(BundleError, match="no model called"):
        unpublish_bundle("ours")


def test_no_name_is_taken_twice(published, left):
    publish_bundle(left, "ours", run="try")
    with pytest.raises(BundleError, match="already"):
        rename_bundle("ours", "mine")
    with pytest.raises(BundleError, match="already"):
        publish_bundle(left, "mine", run="try")
    assert publish_bundle(left, "mine", run="other", replace=True).published.run == "other"


def test_unpublished_models_cannot_be_removed_or_renamed(write_tiny_bundle, data_home):
    write_tiny_bundle(data_home / "models" / "own")
    for name in ("own", "shapes"):
        with pytest.raises(BundleError, match="not published"):
            unpublish_bundle(name)
        with pytest.raises(BundleError, match="not published"):
            rename_bundle(name, "x")


def test_a_model_whose_encoder_another_uses_stays(published, left, write_tiny_bundle, data_home):
    borrower = data_home / "models" / "borrower"
    write_tiny_bundle(borrower, encoder_arrays=None, encoder_from="mine")
    for change in (
        lambda: unpublish_bundle("mine"),
        lambda: rename_bundle("mine", "x"),
        lambda: publish_bundle(left, "mine", run="try", replace=True),
    ):
        with pytest.raises(BundleError, match="borrower reads photos with the encoder"):
            change()


@pytest.mark.parametrize("content", ["[]", "{", '{"by": 3}'])
def test_a_damaged_note_of_publication_is_an_error_or_empty(published, content):
    (published.folder / "published.json").write_text(content)
    if json.dumps({"by": 3}) == content:
        assert read_bundle("mine").published.by == "3"
    else:
        with pytest.raises(BundleError, match=r"published\.json"):
            read_bundle("mine")


def test_a_model_that_a_kill_left_moved_away_is_put_back(published):
    published.folder.rename(published.folder.with_name(".mine.old"))
    assert "mine" not in [bundle.name for bundle in find_bundles()]
    restore_models()
    assert read_bundle("mine").published.by == "Ada"


def test_a_damaged_model_is_not_published(left, data_home):
    (left / "vocabulary.json").write_text("{")
    with pytest.raises(BundleError, match=r"vocabulary\.json"):
        publish_bundle(left, "mine", run="try")
    assert not (data_home / "models" / "mine").exists()


@pytest.mark.parametrize("name", ["ｓhapes", "ſhapes", "SHAPES"])
def test_lookalikes_of_shipped_names_are_reserved(left, data_home, name):
    with pytest.raises(BundleError, match="comes with the app"):
        publish_bundle(left, name, run="try")


def test_names_that_differ_in_case_are_the_same(published, left):
    publish_bundle(left, "ours", run="try")
    with pytest.raises(BundleError, match="already a model called mine"):
        publish_bundle(left, "Mine", run="try", replace=True)
    with pytest.raises(BundleError, match="already a model called ours"):
        rename_bundle("mine", "Ours")
    assert rename_bundle("mine", "Mine").name == "Mine"


def test_a_name_too_long_for_a_folder_is_refused(published, left):
    for act in (
        lambda: rename_bundle("mine", "a" * 300),
        lambda: publish_bundle(left, "é" * 150, run="try", replace=True),
    ):
        with pytest.raises(ConfigError, match="at most 60 characters"):
            act()


def test_a_publisher_whose_name_is_no_text_is_written_down(left, data_home):
    assert publish_bundle(left, "mine", run="try", by="Ren\udce9").published.by == "Ren\udce9"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_file_that_cannot_be_copied_is_named_in_a_sentence(left, data_home):
    os.mkfifo(left / "pipe")
    with pytest.raises(BundleError, match=r"mine cannot be written: [^\[(]*named pipe\.$"):
        publish_bundle(left, "mine", run="try")
    assert not list((data_home / "models").iterdir())
