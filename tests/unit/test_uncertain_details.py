"""Captions without the details that the model is not certain of."""

import random

import pytest

from captioning.caption import Caption, Word
from captioning.config import DecodingConfig
from captioning.uncertain_details import asked_words, certain_places, left_out, remaining

CAPTIONS = """
a man in a blue shirt is sitting on a bench in front of a building
a black and white dog is running through the grass with a ball in its mouth
two young children are sitting on a bed with a cake and a book
a cat sitting on a couch with a laptop
a man is standing on top of a cliff overlooking a mountain
a bathroom with a sink and a mirror
a group of people are standing next to a train at a station
a woman in a red dress and a hat is holding a baby and smiling
a boy is jumping to catch a frisbee in the air
a hill covered in snow with people skiing down it
a dog that is wearing a collar is lying on its back
a plate of food with a fork on it
a small child is in the water
a man is sitting down on a chair while reading a book
an orange cat is sitting in a white bowl on the edge of a table
a swimming pool with a slide
people walking down a street in the rain
a skateboarder is doing a trick off of a ramp
""".strip().splitlines()


def without(caption, at_least=0.4, **certain):
    words = caption.split()
    kept = certain_places(words, [certain.get(word, 0.9) for word in words], at_least)
    return " ".join(remaining(words, kept)).removeprefix("a photo of ")


@pytest.mark.parametrize(
    ("caption", "uncertain", "rest"),
    [
        (CAPTIONS[0], "", CAPTIONS[0]),
        (CAPTIONS[0], "blue", "a man is sitting on a bench in front of a building"),
        (CAPTIONS[0], "bench building", "a man in a blue shirt is sitting"),
        (CAPTIONS[0], "sitting bench", "a man in a blue shirt is in front of a building"),
        (CAPTIONS[0], "sitting bench building", "a man in a blue shirt"),
        (CAPTIONS[0], "shirt sitting bench building man", "a man"),
        (CAPTIONS[1], "white", "a black dog is running through the grass with a ball in its mouth"),
        (CAPTIONS[1], "running", "a black and white dog with a ball in its mouth"),
        (CAPTIONS[1], "ball", "a black and white dog is running through the grass"),
        (CAPTIONS[2], "two young", "children are sitting on a bed with a cake and a book"),
        (CAPTIONS[2], "book", "two young children are sitting on a bed with a cake"),
        (CAPTIONS[2], "cake", "two young children are sitting on a bed"),
        (CAPTIONS[2], "sitting", "two young children are on a bed with a cake and a book"),
        (CAPTIONS[2], "sitting bed", "two young children with a cake and a book"),
        (CAPTIONS[3], "couch", "a cat sitting with a laptop"),
        (CAPTIONS[3], "sitting", "a cat on a couch with a laptop"),
        (CAPTIONS[4], "overlooking", "a man is standing on top of a cliff"),
        (CAPTIONS[5], "sink mirror", "a bathroom"),
        (CAPTIONS[6], "train", "a group of people are standing at a station"),
        (CAPTIONS[7], "baby", "a woman in a red dress and a hat is smiling"),
        (CAPTIONS[7], "hat", "a woman in a red dress is holding a baby and smiling"),
        (CAPTIONS[8], "frisbee", "a boy is in the air"),
        (CAPTIONS[9], "people", "a hill covered in snow"),
        (CAPTIONS[10], "lying", "a dog that is wearing a collar"),
        (CAPTIONS[11], "fork", "a plate of food"),
        (CAPTIONS[12], "small", "a child is in the water"),
        (CAPTIONS[12], "water", "a small child"),
        (CAPTIONS[13], "book", "a man is sitting down on a chair"),
        (CAPTIONS[13], "chair", "a man is sitting down while reading a book"),
        (CAPTIONS[13], "sitting chair", "a man is reading a book"),
        (CAPTIONS[10], "wearing", "a dog is lying on its back"),
        (CAPTIONS[14], "orange bowl", "a cat is sitting on the edge of a table"),
        (CAPTIONS[15], "slide", "a swimming pool"),
        ("a car is driving down a city street", "city", "a car is driving down a street"),
        ("two rugby players are in a field", "rugby", "two players are in a field"),
        ("a dog leaps off a dock and into the water", "dog dock", "a dog leaps"),
        ("a dog leaps off a dock and into the water", "water", "a dog leaps off a dock"),
        ("a boy sits on a big and colorful slide", "big", "a boy sits on a colorful slide"),
        ("a child is smiling while in a bathtub", "bathtub", "a child is smiling"),
        ("a man is singing and a dog is in the street", "singing dog", "a man is in the street"),
        ("a hot dog on a plate", "hot", "a hot dog on a plate"),
        ("a close up of a white plate with a knife", "knife white", "a close up of a plate"),
        (CAPTIONS[16], "walking", "people in the rain"),
    ],
)
def test_the_rest_is_a_sentence(caption, uncertain, rest):
    assert without(caption, **dict.fromkeys(uncertain.split(), 0.1)) == rest


def test_a_verb_of_half_the_certainty_stays_if_the_rest_needs_it():
    caption = "a man is riding a bike"
    assert without(caption, riding=0.21) == caption
    assert without(caption, riding=0.19) == "a man"
    caption = "a dog is running through the grass"
    assert without(caption, running=0.21) == caption
    assert without(caption, running=0.19) == "a dog"
    assert without("a dog is sitting on the grass", sitting=0.21) == "a dog is on the grass"


def test_a_word_as_certain_as_asked_stays():
    assert without("a dog is running in the grass", grass=0.4) == "a dog is running in the grass"
    assert without("a dog is running in the grass", grass=0.39) == "a dog is running"


def test_no_rest_ends_or_begins_in_the_middle_of_a_phrase():
    draw = random.Random(0)
    for caption in CAPTIONS * 200:
        words = caption.split()
        kept = certain_places(words, [draw.random() for _ in words], draw.random())
        rest = [words[place] for place in kept]
        assert kept == sorted(set(kept)) and rest[0] in (words[0], *words[1:3])
        assert rest[-1] not in {"a", "an", "the", "is", "are", "and", "of", "that", "while", "with"}
        pairs = set(zip(rest, rest[1:], strict=False))
        assert not pairs & {("is", "with"), ("are", "with"), ("is", "is"), ("and", "and")}


def test_nothing_is_asked_of_empty_and_foreign_captions():
    assert certain_places([], [], 0.4) == [] and remaining([], []) == []
    german = "ein hund rennt über die wiese".split()
    assert certain_places(german, [0.1] * 6, 0.4) == list(range(6))


def test_details_are_named_with_their_prepositions():
    words = CAPTIONS[0].split()
    kept = [0, 1, 6, 11, 12, 13, 14, 15]
    assert left_out(words, kept) == ["in a blue shirt", "sitting", "on a bench"]
    assert left_out(words, list(range(len(words)))) == []


def test_a_subject_alone_is_a_photo_of_it_only_if_there_was_more():
    assert remaining("a man is sitting".split(), [0, 1]) == "a photo of a man".split()
    assert remaining("a red bus".split(), [0, 2]) == ["a", "bus"]


def caption_of(text, likely, **decoding):
    words = tuple(Word(word, p) for word, p in zip(text.split(), likely, strict=True))
    return Caption(text, -1.0, words, (), "tiny", 0.1, DecodingConfig(**decoding))


def test_a_caption_keeps_what_was_asked_of_it():
    text, log_probs = "a dog in the snow", (-0.1, -0.1, -0.1, -0.1, -3.0)

    def rest(**decoding):
        caption = caption_of(text, log_probs, detail_certainty=0.4, **decoding)
        return [caption.words[place].word for place in caption.certain_places]

    assert rest() == ["a", "dog"]
    assert rest(required_words=("snow",)) == text.split()
    assert rest(prefix=("A dog in the snow",)) == text.split()
    assert rest(strategy="sample") == text.split()
    assert caption_of(text, log_probs).left_out == []
    assert caption_of(text, log_probs, detail_certainty=0.4).left_out == ["in the snow"]


def test_words_that_were_asked_for_are_tokens():
    asked = DecodingConfig(prefix=("Two, red",), required_words=("dog",))
    assert asked_words(asked) == {"two", "red", "dog"}
