"""Baselines, sentences as sentences, wrong ways of scoring, harder photos, and the report."""

import csv
import io
import json
from collections import Counter

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu, sentence_bleu
from PIL import Image

from captioning.config import DecodingConfig
from captioning.datasets import CaptionDataset
from captioning.errors import DatasetError
from captioning.evaluation import (
    ALTERATIONS,
    BASELINES,
    MISTAKES,
    alter_and_caption,
    blind_caption,
    caption_variety,
    captions_csv,
    commonest_caption,
    evaluate,
    evaluation_report,
    human_scores,
    make_baselines,
    nearest_captions,
    sample_photos,
    score_photos,
    score_wrongly,
    shuffled_captions,
    training_texts,
)
from captioning.evaluation.baselines import against_the_others
from captioning.metrics import score_captions
from captioning.text import clean, tokenize

GREEDY = DecodingConfig(beam_width=1)
SAID = ["a red dog runs on sand", "a man sits on the grass", "two small dogs 2 play"]
TYPED = [
    ["A red dog runs .", "The dog runs on sand .", "A dog ."],
    ["A man sits on grass .", "A man on the grass .", "The man sits on the green grass ."],
    ["Two small dogs play .", "2 dogs play with a ball .", "Dogs ."],
]


# Sentences


def test_sentences_are_counted_as_sentences():
    found = caption_variety(["A dog.", "a dog", "two cats run"], {"a dog", "a bird"})
    assert (found.mean_length, found.vocabulary) == (pytest.approx(7 / 3), 5)
    assert (found.distinct, found.copied) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_only_training_captions_are_training_captions(shapes):
    texts = training_texts(shapes)
    assert texts == {clean(c) for p in shapes.split("train") for c in p.captions}


# Baselines


def test_the_commonest_caption_is(shapes):
    counts = Counter(clean(c) for p in shapes.split("train") for c in p.captions)
    assert counts[commonest_caption(shapes)] == max(counts.values())
    photos = shapes.split("test")
    with pytest.raises(DatasetError, match="no training captions"):
        commonest_caption(CaptionDataset("s", shapes.root, photos, shapes.folder, shapes.oddities))


def test_the_nearest_photo_is_found_by_plain_cosines(tiny_captioner, shapes):
    photos, training = shapes.split("test"), shapes.split("train")
    vectors = [
        np.concatenate(list(tiny_captioner.look(shapes, some))).astype(np.float64).mean(axis=1)
        for some in (photos, training)
    ]
    found = nearest_captions(tiny_captioner, shapes, photos)
    for own, text in zip(vectors[0], found, strict=True):
        cosines = [own @ v / np.linalg.norm(own) / np.linalg.norm(v) for v in vectors[1]]
        assert text == training[int(np.argmax(cosines))].captions[0]


def test_no_training_photo_is_its_own_neighbour(tiny_captioner, shapes):
    photos = shapes.split("train")
    found = nearest_captions(tiny_captioner, shapes, photos)
    assert sum(text == p.captions[0] for text, p in zip(found, photos, strict=True)) < len(photos)


def test_no_caption_keeps_its_place_when_shuffled():
    texts = [str(n) for n in range(50)]
    found = shuffled_captions(texts)
    assert sorted(found) == sorted(texts)
    assert not any(a == b for a, b in zip(found, texts, strict=True))


def test_people_are_scored_against_the_other_references():
    names = ["a", "b", "c"]
    found = human_scores(names, TYPED)
    rounds = [
        score_captions([t[n] for t in TYPED], [[*t[:n], *t[n + 1 :]] for t in TYPED])
        for n in range(3)
    ]
    assert found.figures["cider"] == pytest.approx(np.mean([r.cider for r in rounds]))
    assert found.figures["rouge_l"] == pytest.approx(np.mean([r.rouge_l for r in rounds]))
    lengths = 3 * found.rows["bleu_4"][:, 8].sum()  # a photo counts the mean over its references
    assert lengths == pytest.approx(sum(r.hypothesis_length for r in rounds))


def test_a_photo_with_one_reference_is_left_out_of_that():
    found = human_scores(["a", "b", "c"], [TYPED[0], TYPED[1], ["Dogs ."]])
    assert found.names == ("a", "b")
    model = against_the_others(["a", "b", "c"], SAID, [TYPED[0], TYPED[1], ["Dogs ."]])
    assert model.names == ("a", "b")
    assert model.rows["bleu_4"][:, 8].tolist() == [6, 6]


def test_all_baselines_are_made_over_the_same_photos(tiny_captioner, shapes):
    said = evaluate(tiny_captioner, shapes, decoding=GREEDY).captions
    made = list(make_baselines(tiny_captioner, shapes, "test", list(said.values())))
    assert tuple(baseline.name for baseline in made) == BASELINES
    assert {baseline.scores.names for baseline in made} == {tuple(said)}
    assert made[1].example == blind_caption(tiny_captioner)
    assert made[1].example == tiny_captioner.describe(tiny_captioner.blank_features)[0].text


# Wrong ways of scoring


@pytest.fixture(scope="module")
def wrongly():
    return {s.mistake.name: s for s in score_wrongly(SAID, TYPED)}


def nltk_bleu(said, typed, order=4, weights=None):
    weights = weights or [1 / order] * order
    return 100 * corpus_bleu(typed, said, weights=weights)


def test_the_right_way_comes_first_and_is_the_protocol(wrongly):
    right = next(iter(wrongly.values()))
    expected = score_captions(SAID, TYPED)
    assert right.bleu == pytest.approx(
        [expected.bleu_1, expected.bleu_2, expected.bleu_3, expected.bleu_4]
    )
    assert right.moved == (0, 0, 0, 0)
    assert len(wrongly) == len(MISTAKES)


@pytest.mark.filterwarnings("ignore::UserWarning")  # nltk on n-grams without a match
@pytest.mark.parametrize(
    ("name", "change", "typed"),
    [
        ("Start and end marks counted", lambda t: ["<", *tokenize(t), ">"], None),
        (
            "One-letter words and digits dropped",
            lambda t: [w for w in tokenize(t) if len(w) > 1 and w.isalpha()],
            None,
        ),
        ("References as they were typed", tokenize, str.split),
        ("The full stop counted", lambda t: [*tokenize(t), "."], None),
        ("Texts in place of lists of words", clean, None),
    ],
)
def test_changed_words_score_as_nltk_scores_them(wrongly, name, change, typed):
    said = [change(text) for text in SAID]
    truth = [[(typed or change)(text) for text in texts] for texts in TYPED]
    found = wrongly[name].bleu
    for order in (1, 2):
        assert found[order - 1] == pytest.approx(nltk_bleu(said, truth, order), abs=1e-6)


def test_wrong_weights_move_bleu_3_alone(wrongly):
    found = wrongly["BLEU-3 with weights 0.3, 0.3, 0.3"]
    said, truth = [tokenize(t) for t in SAID], [[tokenize(t) for t in ts] for ts in TYPED]
    assert found.bleu[2] == pytest.approx(nltk_bleu(said, truth, weights=(0.3, 0.3, 0.3, 0)))
    assert found.moved[2] > 0
    assert [found.moved[n] for n in (0, 1, 3)] == [0, 0, 0]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_means_of_sentences_are_nltks(wrongly):
    said, truth = [tokenize(t) for t in SAID], [[tokenize(t) for t in ts] for ts in TYPED]
    smooth = SmoothingFunction().method1
    for order in (1, 2, 3, 4):
        weights = [1 / order] * order
        smoothed = [
            sentence_bleu(t, s, weights=weights, smoothing_function=smooth)
            for s, t in zip(said, truth, strict=True)
        ]
        assert wrongly["That mean, smoothed"].bleu[order - 1] == pytest.approx(
            100 * np.mean(smoothed)
        )
    plain = [sentence_bleu(t, s, weights=(1,)) for s, t in zip(said, truth, strict=True)]
    assert wrongly["The mean of the photos' scores"].bleu[0] == pytest.approx(100 * np.mean(plain))


def test_fewer_references_and_marks_move_bleu_as_they_should(wrongly):
    assert wrongly["Only the first reference"].moved[0] <= 0
    assert wrongly["Every reference by itself"].moved[0] < 0
    assert wrongly["Start and end marks counted"].moved[3] > 0
    assert wrongly["Texts in place of lists of words"].bleu[3] > 50


# Harder photos


def test_alterations_keep_photos_photos():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 90, 3), dtype=np.uint8))
    made = {name: change(photo) for name, change in ALTERATIONS.items()}
    assert made["as it is"] is photo
    assert {picture.mode for picture in made.values()} == {"RGB"}
    assert made["cropped"].size == (63, 35)
    assert np.array_equal(np.asarray(made["mirrored"]), np.asarray(photo)[:, ::-1])
    assert np.asarray(made["dark"]).mean() == pytest.approx(
        0.3 * np.asarray(photo).mean(), rel=0.02
    )
    assert np.asarray(made["blurred"]).std() < np.asarray(photo).std()


def test_the_unaltered_photo_gets_its_usual_caption(tiny_captioner, shapes):
    photos = shapes.split("test")
    found = list(alter_and_caption(tiny_captioner, shapes, photos, GREEDY))
    usual = evaluate(tiny_captioner, shapes, decoding=GREEDY).captions
    assert {a.photo.name: a.captions["as it is"] for a in found} == usual
    assert all(set(a.captions) == set(ALTERATIONS) for a in found)


def test_a_sample_is_drawn_once_and_in_order(shapes):
    photos = shapes.split("train")
    drawn = sample_photos(photos, 10)
    assert drawn == sample_photos(photos, 10)
    assert [photos.index(p) for p in drawn] == sorted({photos.index(p) for p in drawn})
    assert sample_photos(photos, 999) == list(photos)


# To take along


def test_the_report_is_json_with_everything_asked_for(tiny_captioner, shapes):
    evaluation = evaluate(tiny_captioner, shapes, decoding=GREEDY)
    names, said = list(evaluation.captions), list(evaluation.captions.values())
    scores = score_photos(names, said, shapes.references("test"))
    training = training_texts(shapes)
    report = evaluation_report(
        evaluation.to_dict(),
        scores,
        caption_variety(said, training),
        baselines=list(make_baselines(tiny_captioner, shapes, "test", said)),
        mistakes=list(score_wrongly(said, shapes.references("test"))),
    )
    assert json.loads(json.dumps(report)) == report
    assert report["protocol"]
    low, high = report["intervals"]["rouge_l"]
    assert low <= report["rouge_l"] <= high
    assert set(report["baselines"]) == set(BASELINES)
    rows = list(
        csv.DictReader(io.StringIO(captions_csv(said, scores, training).decode("utf-8-sig")))
    )
    assert [row["photo"] for row in rows] == names
    assert np.mean([float(row["cider"]) for row in rows]) == pytest.approx(report["cider"], abs=0.1)
    assert [int(row["words"]) for row in rows] == [len(text.split()) for text in said]
