"""What a model knows of itself: strange photos, honest shares, and what a bundle keeps of it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from captioning.bundle import keep_calibration, read_bundle
from captioning.calibration import Calibration, Confidence, Familiarity, Observation
from captioning.calibration.confidence import (
    FIRST_PREDICTORS,
    PREDICTORS,
    STRANGEST,
    predictors_of,
)
from captioning.calibration.fitting import (
    SMALLEST,
    area_under_risk_coverage,
    calibrate,
    cross_fitted,
    fit_levels,
    level_report,
)
from captioning.calibration.out_of_distribution import ODDITIES, draw_oddities
from captioning.captioner import Captioner
from captioning.datasets import generate_shapes
from captioning.errors import BundleError, DatasetError

R, D = 9, 12


def photos(count, seed, shift=0.0):
    """Features whose regions vary along three hidden directions, as photos of one world do."""
    world = np.random.default_rng(7).normal(size=(3, D))
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(count, 1, 3)) + random.normal(size=(count, R, 3))
    noise = 0.1 * random.normal(size=(count, R, D))
    return (hidden @ world + 3 + noise + shift).astype(np.float32)


@pytest.fixture(scope="module")
def familiarity():
    return Familiarity.fit(list(photos(400, 0).reshape(4, 100, R, D)))


def test_photos_of_the_same_world_lie_around_one(familiarity):
    strange = familiarity.strangeness(photos(300, 1))
    assert strange.shape == (300,)
    assert np.sqrt(np.mean(strange**2)) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(photos(50, 2, shift=3.0), id="moved out of the usual directions"),
        pytest.param(
            np.repeat(photos(50, 3).mean(axis=1, keepdims=True), R, axis=1), id="same everywhere"
        ),
        pytest.param(photos(50, 4) * 4, id="much larger numbers"),
        pytest.param(
            np.random.default_rng(0).normal(3, 1, (50, R, D)).astype(np.float32), id="noise"
        ),
    ],
)
def test_odd_photos_lie_further_than_nearly_all_usual_ones(familiarity, odd):
    limit = np.quantile(familiarity.strangeness(photos(500, 5)), 0.96)
    assert np.mean(familiarity.strangeness(odd) > limit) >= 0.9


def test_the_last_figure_falls_as_regions_resemble_each_other(familiarity):
    usual = photos(50, 3)
    alike = np.repeat(usual.mean(axis=1, keepdims=True), R, axis=1)
    assert familiarity.figures(alike)[:, 4].max() < familiarity.figures(usual)[:, 4].min()


def test_what_lies_among_the_usual_directions_is_not_outside_of_them(familiarity):
    random = np.random.default_rng(5)
    directions = familiarity.components.shape[1]
    standard = random.normal(size=(4, R, directions)) @ familiarity.components.T
    among = standard * familiarity.scale + familiarity.mean
    aside = random.normal(size=(4, R, D)) * familiarity.scale + familiarity.mean
    assert familiarity.figures(among)[:, 1].max() < familiarity.figures(aside)[:, 1].min() - 5


def test_a_batch_is_judged_as_each_photo_alone(familiarity):
    some = photos(5, 6)
    alone = [familiarity.strangeness(photo[None])[0] for photo in some]
    assert familiarity.strangeness(some) == pytest.approx(alone, rel=1e-5)


def test_pooled_features_are_judged_too():
    pooled = photos(400, 0).mean(axis=1)
    known = Familiarity.fit([pooled])
    limit = np.quantile(known.strangeness(photos(300, 1).mean(axis=1)), 0.96)
    assert np.mean(known.strangeness(pooled + 5) > limit) > 0.9


def test_confidence_is_the_share_that_was_good():
    """Sentences are made good with a known probability; the curve finds it again."""
    random = np.random.default_rng(0)
    signs = np.stack([random.normal(-1, 0.5, 5000), random.normal(-3, 1, 5000), np.ones(5000)], 1)
    truth = 1 / (1 + np.exp(-(2 + 2 * signs[:, 0])))
    curve = Confidence.fit(signs, random.random(5000) < truth)
    said = np.array([curve(sign) for sign in signs[:500]])
    assert np.abs(said - truth[:500]).mean() < 0.03
    assert all(0 <= share <= 1 for share in said)


def test_confidence_stays_finite_if_good_captions_are_separated_perfectly():
    signs = np.stack([np.linspace(-2, 0, 40), np.zeros(40), np.zeros(40)], axis=1)
    curve = Confidence.fit(signs, signs[:, 0] > -1)
    assert np.isfinite(curve.weights).all()
    assert curve(signs[0]) < 0.3 < 0.7 < curve(signs[-1])


def test_an_unfamiliar_photo_is_given_no_more_than_doubt():
    curve = Confidence(weights=(2.0, 1.0, 0.0, 0.0), doubt=0.15)
    sure = predictors_of(Observation(np.log([0.9, 0.9]), 0.5), FIRST_PREDICTORS)
    assert curve(sure) > 0.8
    assert curve(sure, familiar=False) == 0.15


def test_no_words_are_nothing_to_be_sure_of():
    curve = Confidence(weights=(2.0, 1.0, 0.5, 0.0), doubt=0.1)
    assert curve(predictors_of(Observation(np.array([]), 1.0), FIRST_PREDICTORS)) < 0.01


def test_predictors_tell_seeing_from_guessing():
    seen = Observation(np.array([-0.5, -2.0]), 0.9, distinct=0.5, blind=np.array([-0.5, -6.0]))
    found = dict(zip(PREDICTORS, predictors_of(seen), strict=True))
    assert {name: value for name, value in found.items() if not name.startswith("scene")} == {
        "mean_log_prob": -1.25,
        "least_log_prob": -2.0,
        "strangeness": 0.9,
        "mean_gain": 2.0,
        "largest_gain": 4.0,
        "distinct": 0.5,
        "words": 2.0,
        "log_prob": -2.5,
    }


def test_a_scene_is_what_all_regions_show_together(familiarity):
    some = photos(3, 6)
    scenes = familiarity.scene(some)
    assert scenes.shape == (3, min(12, familiarity.components.shape[1]))
    assert familiarity.scene(some[1:2, ::-1]) == pytest.approx(scenes[1:2], abs=1e-5)
    assert np.abs(scenes[0] - scenes[1]).max() > 0.01
    spread = familiarity.scene(photos(400, 8)).std(axis=0)[:3]
    assert spread == pytest.approx(np.sqrt((1 + 1 / R) / 2), abs=0.1)  # in units of the regions'
    seen = Observation(np.array([-1.0]), 1.0, scene=scenes[2])
    assert predictors_of(seen, ["scene1"])[0] == pytest.approx(scenes[2, 1])


def test_photos_stranger_than_any_usual_one_count_alike():
    figures = [
        predictors_of(Observation(np.array([-1.0]), strange), ["strangeness"])[0]
        for strange in (2.9, STRANGEST, 40.0)
    ]
    assert figures == [2.9, STRANGEST, STRANGEST]


def test_levels_and_familiarity_begin_at_their_bounds(familiarity):
    calibration = Calibration(
        familiarity,
        Confidence(weights=(0.0, 0.0, 0.0, 0.0), doubt=0.1),
        limit=2.0,
        facts={},
        levels=(0.25, 0.75),
    )
    levels = [calibration.level(confidence) for confidence in (0.249, 0.25, 0.749, 0.75)]
    assert levels == ["not sure", "fairly sure", "fairly sure", "sure"]
    assert calibration.level(0.9, familiar=False) == "not sure"
    at_limit, beyond = (
        calibration.judge(Observation(np.array([-1.0]), strange)) for strange in (2.0, 2.001)
    )
    assert at_limit == (0.5, True, "fairly sure")
    assert beyond == (0.1, False, "not sure")


def captions(count, seed):
    """Predictors of captions that are good with a probability one can compute, and which are."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, 1))
    return values, random.random(count) < 1 / (1 + np.exp(-2.5 * values[:, 0]))


def test_levels_hold_what_they_promise_on_captions_they_were_not_fitted_on():
    values, good = captions(4000, 0)
    once = np.ones(4000)
    report = level_report(values, good, np.full(4000, True), once, seed=0)
    assert report.sure[1] >= 0.72 and report.not_sure[1] <= 0.28
    assert min(report.sure[0], report.fairly_sure[0], report.not_sure[0]) > 0.12
    assert report.sure[0] + report.fairly_sure[0] + report.not_sure[0] == pytest.approx(1)
    unfamiliar = level_report(values, good, np.full(4000, False), once, seed=0)
    assert unfamiliar.not_sure[0] == 1


def test_levels_promise_nothing_where_chance_decides():
    """A curve that was judged on the captions it was fitted on would seem right."""
    random = np.random.default_rng(0)
    values, good = random.normal(size=(120, len(PREDICTORS))), random.random(120) < 0.5
    report = level_report(values, good, np.full(120, True), np.ones(120), seed=0)
    assert report.sure[1] < 0.65


def test_levels_that_cannot_reach_their_share_hold_the_nearest_captions():
    confidence = np.linspace(0.3, 0.4, 100)
    low, high = fit_levels(confidence, np.arange(100) % 2 == 0, np.ones(100))
    assert np.mean(confidence < low) == pytest.approx(SMALLEST, abs=0.02)
    assert np.mean(confidence >= high) == pytest.approx(SMALLEST, abs=0.02)


@pytest.mark.parametrize("seed", range(30))
def test_levels_are_those_that_their_definition_finds(seed):
    """Tried one by one: the widest "sure" that is good enough, then the widest "not sure"."""
    random = np.random.default_rng(seed)
    confidence = random.permutation(np.linspace(0.01, 0.99, 80))
    good = random.random(80) < np.clip((confidence - 0.5) * random.uniform(0, 4) + 0.5, 0, 1)
    counts = random.uniform(0.2, 3, 80)

    def share_and_good(among):
        return counts[among].sum() / counts.sum(), np.average(good[among], weights=counts[among])

    bounds = sorted(confidence)
    tops = {b: share_and_good(confidence >= b) for b in bounds}
    tops = {b: t for b, t in tops.items() if SMALLEST <= t[0] <= 1 - 2 * SMALLEST}
    sure = min((b for b, t in tops.items() if t[1] >= 0.8), default=max(tops))
    bottoms = {b: share_and_good(confidence <= b) for b in bounds}
    bottoms = {b: t for b, t in bottoms.items() if t[0] >= SMALLEST}
    most = 1 - tops[sure][0] - SMALLEST
    bad_enough = [b for b, t in bottoms.items() if t[0] <= most and t[1] <= 0.2]
    unsure = max(bad_enough, default=min(bottoms))
    assert fit_levels(confidence, good, counts) == pytest.approx((unsure, sure), abs=1e-9)


def test_a_caption_that_counts_more_moves_the_curve():
    values, good = captions(2000, 1)
    counts = np.where(good, 3.0, 1.0)
    even, more = (cross_fitted(values, good, c, seed=0) for c in (np.ones(2000), counts))
    assert more.mean() > even.mean() + 0.1


def test_the_area_under_the_risk_coverage_curve():
    good = np.array([True, False])
    assert area_under_risk_coverage(np.array([0.9, 0.1]), good, np.ones(2)) == 0.25
    assert area_under_risk_coverage(np.array([0.1, 0.9]), good, np.ones(2)) == 0.75


def test_captions_that_count_twice_are_two_of_the_risk_coverage_curve():
    good, counts = np.array([True, False, True]), np.array([1.0, 2.0, 1.0])
    area = area_under_risk_coverage(np.array([0.9, 0.5, 0.1]), good, counts)
    assert area == pytest.approx((0 + 2 * 2 / 3 + 2 / 4) / 4)


def test_every_kind_of_odd_picture_depends_only_on_the_seed():
    first, again = (
        [(kind, picture.tobytes()) for kind, picture in draw_oddities(3, seed=1)] for _ in range(2)
    )
    assert first == again
    assert [kind for kind, _ in first] == [kind for kind in ODDITIES for _ in range(3)]
    assert len({picture for _, picture in first}) > 2 * len(ODDITIES)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return generate_shapes(tmp_path_factory.mktemp("data") / "shapes", count=200, seed=5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A copy of the shipped model without its calibration."""
    folder = tmp_path_factory.mktemp("models") / "shapes"
    shutil.copytree(read_bundle("shapes").folder, folder)
    for kind in ("json", "safetensors"):
        (folder / f"calibration.{kind}").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def calibrated(model, dataset):
    captioner = Captioner.load(model)
    progress = []
    report = calibrate(
        captioner, dataset, odd_pictures=5, on_progress=lambda *done: progress.append(done)
    )
    assert progress[-1] == (180, 180)  # photos
    keep_calibration(captioner.bundle, report.calibration)
    return model, report


def test_a_model_without_calibration_does_not_pretend(dataset):
    captioner = Captioner.load("shapes", with_encoder=True)
    captioner.__dict__["calibration"] = None
    caption = captioner.caption(Image.new("RGB", (64, 64), "white"))
    assert caption.confidence is None
    assert caption.familiar is None


@pytest.mark.slow
def test_a_calibrated_model_knows_odd_pictures(calibrated, dataset):
    _, report = calibrated
    assert report.all_odd_flagged >= 0.9, report.odd_flagged
    assert report.flagged <= 0.05
    assert abs(report.mean_confidence - report.good) <= 0.15  # 20 dev photos


def test_data_sets_count_by_the_square_root_of_their_dev_photos(calibrated, dataset, tmp_path):
    folder, report = calibrated
    captioner = Captioner.load(folder)
    other = generate_shapes(tmp_path / "other", count=100, seed=5)
    photos = enumerate(other.photos)
    wrong = [replace(p, captions=("nothing of it",)) if n % 3 else p for n, p in photos]
    other = replace(other, photos=tuple(wrong))
    alone = calibrate(captioner, other, odd_pictures=1)
    both = calibrate(captioner, [dataset, other], odd_pictures=1)
    assert 0 < alone.good < report.good
    weights = [len(d.split("dev")) ** 0.5 for d in (dataset, other)]
    assert both.good == pytest.approx(np.average([report.good, alone.good], weights=weights))
    facts = both.calibration.facts
    assert (facts["train"], facts["dev"]) == (240, 30)
    assert facts["good_from_cider"] == 50


def test_a_caption_says_how_sure_it_is(calibrated, dataset):
    folder, report = calibrated
    captioner = Captioner.load(folder)
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    odd = captioner.caption(noise)
    assert (odd.familiar, odd.level, odd.doubtful) == (False, "not sure", True)
    assert odd.confidence <= report.calibration.confidence.doubt + 1e-9
    test = [Image.open(dataset.path(p)).convert("RGB") for p in dataset.split("test")]
    captions = captioner.describe(captioner.encode(test))
    assert np.mean([caption.familiar for caption in captions]) > 0.8
    assert all(0 <= caption.confidence <= 1 for caption in captions)
    assert captions[0].to_dict()["familiar"] == captions[0].familiar
    alone = captioner.caption(test[0])
    assert alone.confidence == pytest.approx(captions[0].confidence, abs=1e-3)


def test_confidence_has_three_levels(calibrated):
    calibration = replace(calibrated[1].calibration, levels=(0.4, 0.7))
    shares = {0.39: "not sure", 0.4: "fairly sure", 0.69: "fairly sure", 0.7: "sure"}
    assert {share: calibration.level(share) for share in shares} == shares
    assert calibration.level(0.9, familiar=False) == "not sure"


def test_what_is_kept_reads_back(calibrated):
    folder, report = calibrated
    kept = read_bundle(folder).calibration()
    assert kept.limit == report.calibration.limit
    assert kept.confidence == report.calibration.confidence
    assert kept.levels == report.calibration.levels
    assert np.array_equal(kept.blank, report.calibration.blank.astype(np.float16))
    assert kept.facts["odd_unfamiliar"] == round(report.all_odd_flagged, 3)
    json.dumps(kept.to_dict())


@pytest.mark.parametrize(
    "harm",
    [
        lambda facts: facts.pop("limit"),
        lambda facts: facts.update(weights=[1.0]),
        lambda facts: facts.update(doubt="x"),
        lambda facts: facts.update(levels=[0.3]),
        lambda facts: facts.update(predictors=["the_weather"] * 6),
        lambda facts: facts.pop("predictors"),
        lambda facts: facts.update(limit=float("nan")),
        lambda facts: facts.update(limit=10**400),
        lambda facts: facts.update(levels=[0.3, 10**400]),
    ],
)
def test_a_damaged_calibration_is_reported(calibrated, tmp_path, harm):
    folder = tmp_path / "shapes"
    shutil.copytree(calibrated[0], folder)
    facts = json.loads((folder / "calibration.json").read_text())
    harm(facts)
    (folder / "calibration.json").write_text(json.dumps(facts))
    with pytest.raises(BundleError, match=r"calibration\.json"):
        read_bundle(folder).calibration()


def test_a_calibration_of_another_model_is_reported(calibrated, tmp_path):
    folder = tmp_path / "shapes"
    shutil.copytree(calibrated[0], folder)
    other = Familiarity.fit([photos(50, 0)])
    kept = read_bundle(folder).calibration()
    blank = np.zeros((1, R, D), np.float32)
    keep_calibration(read_bundle(folder), replace(kept, familiarity=other, blank=blank))
    with pytest.raises(BundleError, match="channels"):
        _ = Captioner.load(folder).calibration


def test_too_few_photos_are_reported(model, tmp_path):
    few = generate_shapes(tmp_path / "few", count=20, seed=0)
    with pytest.raises(DatasetError, match="at least ten"):
        calibrate(Captioner.load(model), few)
