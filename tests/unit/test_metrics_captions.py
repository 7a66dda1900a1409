"""All scores together: pycocoevalcap's own figures, and captions as people write them."""

import importlib.util
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from captioning.bundle import score_table
from captioning.errors import ConfigError
from captioning.evaluation import captions_csv, compare, intervals, score_photos
from captioning.metrics import (
    METRICS,
    Metric,
    cider,
    corpus_bleu,
    format_headline,
    register_metric,
    rouge_l,
    score_captions,
)
from captioning.runs.curves import Curves
from captioning.runs.exports import epochs_csv

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/coco_scores.json"
FLICKR8K = ROOT.parent / "shared/flickr8k/Flickr8k_text"


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text(encoding="ascii"))


@pytest.fixture(scope="module")
def maker():
    """The script beside the golden file, as a module."""
    path = GOLDEN.with_name("make_coco_scores.py")
    spec = importlib.util.spec_from_file_location("make_coco_scores", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(images):
    hypotheses = [image["hypothesis"].split() for image in images]
    references = [[ref.split() for ref in image["references"]] for image in images]
    return hypotheses, references


@pytest.mark.parametrize("corpus", ["ordinary", "odd"])
@pytest.mark.parametrize(("name", "metric"), [("rouge_l", rouge_l), ("cider", cider)])
def test_equals_pycocoevalcap(golden, corpus, name, metric):
    images = golden[corpus]["images"]

    score = metric(*words(images))

    assert score.mean == pytest.approx(golden[corpus]["corpus"][name], abs=1e-6)
    assert score.per_image.tolist() == pytest.approx([i[name] for i in images], abs=1e-6)


def test_bleu_equals_pycocoevalcap(golden):
    """Only the ordinary corpus: where captions are shorter than four words nltk counts others."""
    images = golden["ordinary"]["images"]

    score = corpus_bleu(*words(images))

    assert score.bleu == pytest.approx(golden["ordinary"]["corpus"]["bleu"], abs=1e-6)


def test_bleu_of_one_image_equals_pycocoevalcap_where_it_is_not_zero(golden):
    compared = 0
    for image in golden["ordinary"]["images"]:
        hypotheses, references = words([image])
        ours = corpus_bleu(hypotheses, references).bleu
        for value, theirs in zip(ours, image["bleu"], strict=True):
            # pycocoevalcap adds a trifle to counts of 0, so its 0 is about 1e-5.
            assert value == pytest.approx(theirs, abs=1e-6 if value else 1e-3)
            compared += value > 0
    assert compared > 600


def test_the_golden_sentences_are_those_of_the_script(golden, maker):
    for name, images in maker.made_up().items():
        kept = [
            {key: image[key] for key in ("hypothesis", "references")}
            for image in golden[name]["images"]
        ]
        assert kept == images


def test_the_golden_figures_are_those_of_pycocoevalcap_when_it_is_installed(golden, maker):
    pytest.importorskip("pycocoevalcap.cider.cider")
    for name, images in maker.made_up().items():
        fresh, kept = maker.scored(images)["corpus"], golden[name]["corpus"]
        assert fresh["bleu"] == pytest.approx(kept["bleu"], abs=1e-6)
        assert fresh["rouge_l"] == pytest.approx(kept["rouge_l"], abs=1e-6)
        assert fresh["cider"] == pytest.approx(kept["cider"], abs=1e-6)


def test_scores_are_those_of_the_parts_on_the_scale_of_a_hundred(golden):
    images, expected = golden["ordinary"]["images"], golden["ordinary"]["corpus"]

    scores = score_captions(
        [image["hypothesis"] for image in images], [image["references"] for image in images]
    )

    ours = [scores.bleu_1, scores.bleu_2, scores.bleu_3, scores.bleu_4]
    assert ours == pytest.approx([100 * value for value in expected["bleu"]], abs=1e-4)
    assert scores.rouge_l == pytest.approx(100 * expected["rouge_l"], abs=1e-4)
    assert scores.cider == pytest.approx(100 * expected["cider"], abs=1e-4)
    assert scores.n == 240


def test_case_and_punctuation_do_not_count_but_short_words_and_digits_do():
    references = [["A dog's ball, 2 cats ."], ["Two men talk!"]]

    same = score_captions(["a dogs ball 2 cats", "two men talk"], references)
    without = score_captions(["dogs ball cats", "two men talk"], references)

    assert same.bleu_1 == pytest.approx(100)
    assert (same.hypothesis_length, same.reference_length) == (8, 8)
    assert without.bleu_1 < 80


def test_as_dict_has_the_figures_by_name():
    scores = score_captions(["A red kite flies."], [["a red kite flies", "a kite"]])

    assert json.loads(json.dumps(scores.as_dict())) == scores.as_dict()
    assert list(scores.as_dict()) == [
        *("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"),
        *("n", "hypothesis_length", "reference_length"),
    ]
    assert scores.as_dict()["bleu_4"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ("a kite", [["a kite"]], "The hypotheses are one text"),
        (["a kite"], ["a kite"], "The references of image 0 are one text"),
        ([["a", "kite"]], [["a kite"]], "hypotheses hold a list"),
        (["a kite"], [[["a", "kite"]]], "references of image 0 hold a list"),
        (["a kite"], [], "hypotheses for 1 images and references for 0"),
        (["a kite"], [[]], "Image 0 has no reference"),
        ([], [], "no captions to score"),
    ],
)
def test_refuses_what_it_cannot_score(hypotheses, references, message):
    with pytest.raises(ConfigError, match=message):
        score_captions(hypotheses, references)


@pytest.mark.slow
@pytest.mark.skipif(not FLICKR8K.exists(), reason="Flickr8k is not beside the checkout")
def test_a_person_scored_against_four_others_on_flickr8k():
    """Figures of pycocoevalcap 1.2 after the same cleaning; within 0.05 of a point."""
    captions = defaultdict(list)
    for line in (FLICKR8K / "Flickr8k.token.txt").read_text(encoding="utf-8").splitlines():
        name, caption = line.split("\t")
        captions[name.split("#")[0]].append(caption)
    photos = (FLICKR8K / "Flickr_8k.testImages.txt").read_text(encoding="utf-8").split()

    scores = score_captions(
        [captions[photo][0] for photo in photos], [captions[photo][1:] for photo in photos]
    )

    ours = [scores.bleu_1, scores.bleu_2, scores.bleu_3, scores.bleu_4]
    assert scores.n == 1000
    assert ours == pytest.approx([63.6413, 44.5778, 30.5490, 20.9457], abs=0.05)
    assert [scores.rouge_l, scores.cider] == pytest.approx([48.7592, 78.8743], abs=0.05)


@pytest.fixture
def word_share():
    """A metric from outside the package: the share of the hypothesis' words in the references."""

    def statistics(hypotheses, references):
        pairs = zip(hypotheses, references, strict=True)
        shares = [
            np.mean([word in set().union(*texts) for word in words]) for words, texts in pairs
        ]
        return np.array(shares)[:, None]

    metric = Metric(
        name="word_share",
        label="Word share",
        help="Words that occur in a reference.",
        order=55,
        statistics=statistics,
        headline=True,
    )
    register_metric(metric)
    yield metric
    del METRICS["word_share"]


def test_a_registered_metric_is_scored_compared_and_shown_everywhere(word_share):
    names, texts, references = ["a", "b"], ["a dog runs", "two cats"], [["a dog"], ["two cats sit"]]
    scores = score_photos(names, texts, references)
    assert list(METRICS) == [
        "bleu_1",
        "bleu_2",
        "bleu_3",
        "bleu_4",
        "rouge_l",
        "word_share",
        "cider",
    ]
    assert scores.figures["word_share"] == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert score_captions(texts, references).word_share == pytest.approx(
        scores.figures["word_share"]
    )
    assert intervals(scores)["word_share"].high == pytest.approx(100)
    assert [d.measure for d in compare(scores, scores).differences] == list(METRICS)
    assert (
        captions_csv(texts, scores, set())
        .decode("utf-8-sig")
        .startswith("photo,caption,bleu_1,bleu_2,bleu_3,bleu_4,rouge_l,word_share,cider,words")
    )
    evaluation = {"data": "d", "split": "dev", "images": 2, "beam_width": 1, "length_penalty": 0}
    table = score_table([{**evaluation, **scores.figures}])
    assert "| ROUGE-L | Word share | CIDEr |" in table and "| 83.3 |" in table
    assert "Word share 83.3" in format_headline(scores.figures)
    assert "word_share" in epochs_csv(Curves()).split(",")


def test_a_metric_is_registered_once(word_share):
    with pytest.raises(ConfigError, match="word_share"):
        register_metric(word_share)
