"""The lesson on scores: every figure it prints, against nltk, NumPy, and the metrics themselves."""

import math
import random
import warnings

import numpy as np
import pytest
from analysis_data import random_captions
from latex_numbers import check
from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu, sentence_bleu

from captioning.errors import ConfigError
from captioning.lessons.bleu import (
    bleu_formula,
    penalty_formula,
    score_as_tutorials_do,
    smooth_bleu,
    smoothed_formula,
)
from captioning.lessons.caption_edits import edits_of, find_duel
from captioning.lessons.cider import cider_formula, draw_cider, reference_formula, weight_formula
from captioning.lessons.lexicon import CONTRADICTIONS, SYNONYMS, THINGS, thing_of
from captioning.metrics import (
    CiderD,
    DocumentFrequencies,
    bleu_from_statistics,
    bleu_statistics,
    clip_ngrams,
)
from captioning.text import tokenize

SENTENCES = [
    "A big red circle above a small blue square.",
    "two dogs run over the grass",
    "A man in a black shirt is jumping near the water .",
    "snow",
    "kites fly",
]


@pytest.fixture(scope="module")
def photos():
    return random_captions(random.Random(3), 40)


def bleu(text, references):
    return bleu_from_statistics(bleu_statistics(tokenize(text), [tokenize(r) for r in references]))


def cases(photos, count=25):
    rng = random.Random(9)
    for _ in range(count):
        references = rng.choice(photos)
        yield rng.choice(rng.choice(photos)), references


# The words of the lexicon.


def test_no_word_names_two_things():
    words = [word for group in THINGS.values() for word in group]
    assert len(words) == len(set(words))
    assert all(thing_of(kind) == kind for kind in THINGS)


def test_synonyms_and_contradictions_are_clean_words_and_never_the_same():
    for table in (SYNONYMS, CONTRADICTIONS):
        for word, other in table.items():
            assert word != other
            assert tokenize(f"{word} {other}") == [word, other]
    assert not {w for w in SYNONYMS if CONTRADICTIONS.get(w) == SYNONYMS[w]}


# Edits.


@pytest.mark.parametrize("sentence", SENTENCES)
def test_edits_differ_from_the_sentence_and_come_once(sentence):
    edits = edits_of(sentence)
    kinds = [edit.kind for edit in edits]
    assert len(set(kinds)) == len(kinds)
    for edit in edits:
        assert edit.text != " ".join(tokenize(sentence))
        assert edit.text == " ".join(tokenize(edit.text))
    assert bool(edits) == (len(tokenize(sentence)) > 1)


def test_each_kind_of_edit_does_what_it_says():
    words = tokenize(SENTENCES[0])
    edits = {edit.kind: edit for edit in edits_of(SENTENCES[0])}
    assert set(edits) == {"synonym", "order", "negation", "wrong", "repeated", "shortened"}
    for kind in ("synonym", "negation", "wrong"):
        changed = edits[kind].text.split()
        assert sum(a != b for a, b in zip(words, changed, strict=True)) == 1
    assert sorted(edits["order"].text.split()) == sorted(words)
    assert edits["negation"].text.split()[0] == "no"
    assert len(edits["repeated"].text.split()) == len(words) + 2
    assert words[: len(edits["shortened"].text.split())] == edits["shortened"].text.split()
    assert [edits[k].keeps_truth for k in ("synonym", "wrong", "negation")] == [True, False, False]


def test_words_that_change_places_leave_bleu_1_as_it_was(photos):
    for sentence, references in cases(photos):
        for edit in edits_of(sentence):
            if edit.kind == "order":
                assert bleu(edit.text, references).bleu[0] == bleu(sentence, references).bleu[0]


def test_saying_a_word_again_never_counts_more_than_a_reference_says_it(photos):
    for sentence, references in cases(photos):
        for edit in (e for e in edits_of(sentence) if e.kind == "repeated"):
            counted = clip_ngrams(edit.text.split(), [tokenize(r) for r in references], max_order=1)
            most = max(tokenize(r).count(edit.title.split("'")[1]) for r in references)
            assert counted[(edit.title.split("'")[1],)].clipped <= most


def test_a_duel_is_lost_by_the_right_sentence():
    captions = [
        ["a red kite flies above a tree", "the kite goes up", "a red kite flies above a tree now"],
        ["a dog", "a dog"],
    ]
    duel = find_duel(captions)
    assert duel.photo == 0 and duel.right in captions[0] and duel.right not in duel.references
    assert duel.wrong_bleu > duel.right_bleu
    assert duel.true_word in duel.references[0] + duel.references[1]
    assert not any(duel.false_word in tokenize(text) for text in captions[0])
    truth = [tokenize(text) for text in duel.references]
    for text, claimed in ((duel.right, duel.right_bleu), (duel.wrong, duel.wrong_bleu)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = sentence_bleu(truth, tokenize(text))
        assert claimed == pytest.approx(100 * expected, abs=1e-5)


def test_without_a_word_to_contradict_there_is_no_duel():
    assert find_duel([["kites fly", "kites fly high", "kites"]]) is None
    assert find_duel([]) is None


# CIDEr-D.


def test_the_drawing_of_cider_is_cider(photos):
    truth = [[tokenize(text) for text in texts] for texts in photos]
    frequencies = DocumentFrequencies.from_references(truth)
    scorer = CiderD(truth)
    rng = random.Random(4)
    for _ in range(25):
        place = rng.randrange(len(photos))
        sentence = rng.choice(rng.choice(photos))
        drawing = draw_cider(sentence, photos[place], frequencies)
        assert drawing.cider == pytest.approx(scorer.score(tokenize(sentence), place), abs=1e-9)


def test_every_number_of_the_drawing_by_numpy(photos):
    truth = [[tokenize(text) for text in texts] for texts in photos]
    frequencies = DocumentFrequencies.from_references(truth)
    sentence, references = "a red dog runs over the grass", photos[0]
    drawing = draw_cider(sentence, references, frequencies)
    for order, ngrams in enumerate(drawing.ngrams, start=1):
        words = tokenize(sentence)
        grams = [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]
        for ngram in ngrams:
            having = sum(
                any(_has(reference, ngram.words) for reference in texts) for texts in truth
            )
            assert ngram.images == having
            assert ngram.weight == pytest.approx(
                grams.count(ngram.words) * math.log(40 / max(1, having)), abs=1e-9
            )
            assert ngram.found_in == sum(_has(r, ngram.words) for r in truth[0])
    for match, reference in zip(drawing.references, truth[0], strict=True):
        assert match.difference == 7 - len(reference)
        assert match.penalty == pytest.approx(np.exp(-(match.difference**2) / 72), abs=1e-9)
        for order, cosine in enumerate(match.cosines, start=1):
            expected = _cosine(tokenize(sentence), reference, order, truth)
            assert cosine.value == pytest.approx(expected, abs=1e-9)


def _has(words, gram):
    return any(tuple(words[i : i + len(gram)]) == gram for i in range(len(words)))


def _cosine(hypothesis, own, order, truth):
    def grams(words):
        return [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]

    space = sorted(set(grams(hypothesis)) | set(grams(own)))
    df = [max(1, sum(any(_has(r, g) for r in texts) for texts in truth)) for g in space]
    idf = np.log(len(truth) / np.array(df, float))
    h, r = (np.array([grams(words).count(g) for g in space]) * idf for words in (hypothesis, own))
    if not h.any() or not r.any():
        return 0.0
    return float(np.minimum(h, r) @ r / (np.linalg.norm(h) * np.linalg.norm(r)))


def test_without_references_nothing_can_be_drawn():
    with pytest.raises(ConfigError, match="at least one"):
        draw_cider("a dog", [], DocumentFrequencies(1, {}))


# The formulas, computed again from what is printed.


def test_bleu_s_formula_yields_its_figure(photos):
    for sentence, references in cases(photos):
        score = bleu(sentence, references)
        for order in range(1, 5):
            printed = check(bleu_formula(score, order), 1e-4)
            assert printed == pytest.approx(score.bleu[order - 1], abs=5.1e-5)
        formula = penalty_formula(score)
        if "e^" in formula:
            assert check(formula[formula.index("BP") :], 1e-4) == pytest.approx(
                score.brevity_penalty, abs=5.1e-5
            )
        else:
            assert score.brevity_penalty == 1
    with pytest.raises(ConfigError, match="BLEU-5"):
        bleu_formula(score, 5)


def test_cider_s_formulas_yield_its_figure(photos):
    truth = [[tokenize(text) for text in texts] for texts in photos]
    frequencies = DocumentFrequencies.from_references(truth)
    for sentence, references in cases(photos, 10):
        drawing = draw_cider(sentence, references, frequencies)
        assert check(cider_formula(drawing), 6e-3) == pytest.approx(drawing.cider, abs=5.1e-4)
        for number, match in enumerate(drawing.references):
            printed = check(reference_formula(drawing, number), 1e-4)
            assert printed == pytest.approx(match.score, abs=5.1e-5)
        for ngram in drawing.ngrams[0]:
            printed = check(weight_formula(drawing, ngram), 1e-4)
            assert printed == pytest.approx(ngram.weight, abs=5.1e-5)


# Smoothing, and common mistakes in tutorials.


@pytest.mark.parametrize(("method", "number"), [("none", 0), ("epsilon", 1), ("add one", 2)])
def test_smoothing_is_nltk_s(photos, method, number):
    for sentence, references in cases(photos):
        words, truth = tokenize(sentence), [tokenize(text) for text in references]
        if len(words) < 4:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            smoothing = getattr(SmoothingFunction(), f"method{number}")
            expected = 100 * sentence_bleu(truth, words, smoothing_function=smoothing)
        smoothed = smooth_bleu(bleu(sentence, references), method)
        assert smoothed.bleu == pytest.approx(expected, abs=1e-5)
        if smoothed.fractions[0][0]:
            formula = f"x = {smoothed_formula(smoothed)}"
            assert check(formula, 1e-4) == pytest.approx(smoothed.bleu / 100, abs=5.1e-5)


def test_an_unknown_smoothing_is_refused(photos):
    with pytest.raises(ConfigError, match="method7"):
        smooth_bleu(bleu("a dog", ["a dog"]), "method7")


def test_every_mistake_is_what_nltk_gives_for_it(photos):
    hypotheses = [texts[0] for texts in photos if len(texts) > 1]
    references = [texts[1:] for texts in photos if len(texts) > 1]
    found = {
        mistake.title: mistake.bleu for mistake in score_as_tutorials_do(hypotheses, references)
    }

    def nltk(split, truth=references, weights=None):
        split_references = [[split(text) for text in texts] for texts in truth]
        each = weights or [[1 / n] * n for n in range(1, 5)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [
                100 * corpus_bleu(split_references, [split(text) for text in hypotheses], w)
                for w in each
            ]

    def marked(text):
        return ["startseq", *tokenize(text), "endseq"]

    def long_words(text):
        return [w for w in tokenize(text) if len(w) > 1 and w.isalpha()]

    expected = {
        "As it should be": nltk(tokenize),
        "Start and end marks counted": nltk(marked),
        "One-letter words and digits dropped": nltk(long_words),
        "Capitals and full stops kept": nltk(str.split),
        "Only the first reference": nltk(tokenize, [texts[:1] for texts in references]),
        "Text in place of lists of words": nltk(list),
    }
    for title, figures in expected.items():
        assert found[title] == pytest.approx(figures, abs=1e-5), title
    third = nltk(tokenize, weights=[(0.3, 0.3, 0.3, 0)])[0]
    assert found["Weights 0.3, 0.3, 0.3 for BLEU-3"][2] == pytest.approx(third, abs=1e-5)


def test_the_mean_over_sentences_is_the_mean_of_nltk_s(photos):
    hypotheses = [texts[0] for texts in photos if len(texts) > 1 and len(tokenize(texts[0])) > 3]
    references = [t[1:] for t in photos if len(t) > 1 and len(tokenize(t[0])) > 3]
    mean = score_as_tutorials_do(hypotheses, references)[-1].bleu[3]
    method1 = SmoothingFunction().method1
    scores = [
        sentence_bleu([tokenize(r) for r in texts], tokenize(text), smoothing_function=method1)
        for text, texts in zip(hypotheses, references, strict=True)
    ]
    assert mean == pytest.approx(100 * np.mean(scores), abs=1e-5)
