"""Settings: what is refused, what is admitted, and the sentences that say so."""

import dataclasses
import json
from pathlib import Path

import pytest

from captioning.config import (
    DecoderConfig,
    DecodingConfig,
    EncoderConfig,
    TrainingConfig,
    read_training_config,
)
from captioning.errors import CaptioningError, ConfigError

ROOT = Path(__file__).parents[2]
CLASSES = (EncoderConfig, DecoderConfig, DecodingConfig, TrainingConfig)
NUMBERS = [
    (cls, field)
    for cls in CLASSES
    for field in dataclasses.fields(cls)
    if field.metadata.get("at_least") is not None or field.metadata.get("at_most") is not None
]


def named(case):
    return f"{case[0].__name__}.{case[1].name}"


@pytest.mark.parametrize("case", NUMBERS, ids=named)
def test_the_ends_of_a_range_are_in_it_and_what_lies_beyond_is_not(case):
    cls, field = case
    low, high = field.metadata["at_least"], field.metadata["at_most"]
    extra = {"heads": 1} if cls is DecoderConfig and field.name == "units" else {}
    whole = isinstance(getattr(cls(), field.name), int) or "int" in str(field.type)
    step = 1 if whole else 1e-3 * max(abs(high), 1e-9)
    for value in (low, high):
        if field.name != "heads":  # heads must divide units, which is another rule
            found = getattr(cls(**{field.name: value}, **extra), field.name)
            assert found in (value, (value,))
    for value in (low - step, high + step):
        with pytest.raises(ConfigError, match=field.name) as caught:
            cls(**{field.name: value}, **extra)
        assert repr(value) in str(caught.value)
        assert str(caught.value).endswith(".")


@pytest.mark.parametrize("case", NUMBERS, ids=named)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), True, "3", [], {}])
def test_what_is_no_number_in_range_is_refused(case, value):
    cls, field = case
    with pytest.raises(ConfigError, match=field.name):
        cls(**{field.name: value})


@pytest.mark.parametrize("cls", CLASSES)
def test_every_setting_says_what_it_is(cls):
    for field in dataclasses.fields(cls):
        if field.name not in ("encoder", "decoder", "decoding"):
            assert field.metadata["about"], field.name


def test_numbers_for_several_data_sets_are_one_or_a_list():
    assert TrainingConfig(extra_repeats=3).extra_repeats == (3,)
    assert TrainingConfig(extra_repeats=[3, 1]).extra_repeats == (3, 1)
    for wrong in ([3, 0], [2.5], ["3"], [True]):
        with pytest.raises(ConfigError, match="extra_repeats"):
            TrainingConfig(extra_repeats=wrong)


def test_a_value_outside_the_choices_is_refused_with_the_choices():
    with pytest.raises(ConfigError, match="merge, inject, attention.*'transformer'"):
        DecoderConfig(kind="transformer")
    with pytest.raises(ConfigError, match="beam, sample.*'greedy'"):
        DecodingConfig(strategy="greedy")


def test_a_whole_number_serves_as_a_float_and_the_other_way_round():
    assert type(DecoderConfig(dropout=0).dropout) is float
    assert DecoderConfig(units=256.0).units == 256
    assert type(DecoderConfig(units=256.0).units) is int
    with pytest.raises(ConfigError, match="units.*256.5"):
        DecoderConfig(units=256.5)


def test_a_number_too_large_for_a_float_is_refused_like_any_other():
    with pytest.raises(ConfigError, match="dropout"):
        DecoderConfig(dropout=10**400)


def test_switches_are_true_or_false_alone():
    assert TrainingConfig(train_encoder=True).train_encoder is True
    for value in (1, 0, "true", None):
        with pytest.raises(ConfigError, match="train_encoder"):
            TrainingConfig(train_encoder=value)


def test_heads_must_share_the_units_evenly_but_only_in_attention():
    with pytest.raises(ConfigError, match="10 units and 4 heads"):
        DecoderConfig(units=10, heads=4)
    assert DecoderConfig(kind="merge", units=10, heads=4).units == 10


def test_none_is_for_settings_that_may_be_left_open():
    assert EncoderConfig(layer=None, input_size=None).layer is None
    with pytest.raises(ConfigError, match="name"):
        EncoderConfig(name=None)
    with pytest.raises(ConfigError, match="units"):
        DecoderConfig(units=None)


def test_settings_do_not_change_after_they_were_made():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DecodingConfig().beam_width = 5
    config = DecodingConfig()
    assert config.replace(beam_width=5).beam_width == 5
    assert config.beam_width == 3
    with pytest.raises(ConfigError, match="beam_width"):
        config.replace(beam_width=0)
    with pytest.raises(ConfigError, match="beams"):
        config.replace(beams=3)


def unusual():
    return TrainingConfig(
        name="my-model",
        encoder=EncoderConfig(name="compact", input_size=64, width=8),
        decoder=DecoderConfig(kind="merge", units=32, dropout=0.25),
        decoding=DecodingConfig(strategy="sample", top_p=0.5, seed=7),
        train_encoder=True,
        learning_rate=0.0025,
    )


@pytest.mark.parametrize("config", [cls() for cls in CLASSES] + [unusual()])
def test_settings_come_back_from_json_as_they_were(config):
    again = type(config).from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert hash(again) == hash(config)


def test_the_nearest_setting_is_named():
    with pytest.raises(ConfigError, match=r"'learning_rat'\. Did you mean learning_rate\?"):
        TrainingConfig().with_settings(["learning_rat=1"])
    with pytest.raises(ConfigError, match="Did you mean decoding.beam_width"):
        TrainingConfig().with_settings(["beam_width=1"])


def test_unknown_settings_are_refused_by_name():
    with pytest.raises(ConfigError, match="'epoch'.*epochs"):
        TrainingConfig.from_dict({"epoch": 3})
    with pytest.raises(ConfigError, match="'unit'"):
        TrainingConfig.from_dict({"decoder": {"unit": 3}})
    for wrong in (None, 3, "units", [("units", 3)]):
        with pytest.raises(ConfigError):
            DecoderConfig.from_dict(wrong)
    with pytest.raises(ConfigError, match="decoder.*3"):
        TrainingConfig.from_dict({"decoder": 3})


def test_assignments_reach_every_depth_and_keep_the_rest():
    config = unusual().with_settings(
        ["epochs=2", "decoder.units=64", "encoder.layer=map", "train_encoder=false", "data=x=y"]
    )
    assert (config.epochs, config.decoder.units, config.encoder.layer) == (2, 64, "map")
    assert config.train_encoder is False
    assert config.data == "x=y"
    assert config.decoder.dropout == 0.25
    assert config.with_settings(["encoder.layer=null", " epochs = 3 "]).encoder.layer is None
    assert config.with_settings([]) == config


def test_assignments_hold_together_not_one_by_one():
    """24 units and 5 heads do not fit, nor do 16 and 3, but both changes together do."""
    config = TrainingConfig(decoder=DecoderConfig(units=24, heads=3))
    assert config.with_settings(["decoder.heads=5", "decoder.units=20"]).decoder.heads == 5


def test_a_text_that_reads_like_a_number_may_be_a_name():
    assert TrainingConfig().with_settings(["name=2024"]).name == "2024"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epochs", "key=value.*'epochs'"),
        ("epoch=3", "'epoch'"),
        ("decoder.unit=3", "'decoder.unit'"),
        ("units.decoder=3", "'units.decoder'"),
        ("epochs.more=3", "'epochs.more'"),
        ("=3", "''"),
        ("epochs=three", "epochs.*'three'"),
        ("epochs=0", "epochs.*0"),
        ("decoder=big", "decoder.*'big'|'big'"),
        ("learning_rate=NaN", "learning_rate.*nan"),
    ],
)
def test_a_wrong_assignment_is_refused_with_what_was_written(assignment, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig().with_settings([assignment])


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/tmp/x", "..\\x", " ", ".hidden", "a\0b"])
def test_a_model_cannot_be_named_like_a_path(name):
    """The name becomes a folder among the models, and that folder is replaced."""
    with pytest.raises(ConfigError, match="name"):
        TrainingConfig(name=name)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.json")), ids=lambda p: p.stem)
def test_every_configuration_that_comes_with_the_program_is_read(path):
    config = read_training_config(path)
    about = json.loads(path.read_text(encoding="utf-8")).get("_about")
    assert about, "a configuration says what it is for"
    assert TrainingConfig.from_dict(config.to_dict()) == config


def test_notes_in_a_configuration_are_not_read(tmp_path):
    path = tmp_path / "one.json"
    path.write_text('{"_about": "a note", "_also": [1], "epochs": 2}')
    assert read_training_config(path) == TrainingConfig(epochs=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "JSON"),
        (b"{epochs: 2}", "JSON"),
        (b"[1]", "object"),
        (b"\xff\xfe\x00", "JSON"),
        (b'{"epochs": NaN}', "epochs"),
        (b'{"epochs": "2"}', "epochs.*'2'"),
        (b'{"unknown": 2}', "unknown"),
        (b"[" * 100_000, "JSON"),
        (b'{"extra_repeats": [' + b"1," * 100_000 + b"1]}", "extra_repeats takes at most 100,000"),
        (b" " * 2_000_001 + b"{}", "more than 2 MB"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_configuration_file_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_training_config(path)
    assert isinstance(caught.value, CaptioningError)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_training_config(tmp_path)
