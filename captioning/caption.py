"""A caption: its sentence, the probabilities of its words, and how confident the model is."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from captioning.calibration import Level
from captioning.calibration.picture_kind import Kind
from captioning.config import DecodingConfig
from captioning.text import STOP_WORDS, sentence
from captioning.uncertain_details import asked_words, certain_places, left_out

DOUBTED = 0.25
"""The model doubts a content word of a smaller probability."""


@dataclass(frozen=True)
class Word:
    """One word of a caption and the natural logarithm of its probability."""

    word: str
    log_prob: float

    @property
    def is_doubted(self) -> bool:
        """Whether the model doubts it.

        Stop words never count: several of them often fit, so a low probability says little.
        """
        return self.log_prob < math.log(DOUBTED) and self.word not in STOP_WORDS


@dataclass(frozen=True)
class Alternative:
    """Another sentence that the search found, and its log-probability."""

    caption: str
    log_prob: float


@dataclass(frozen=True)
class Caption:
    """A sentence about a photo.

    Attributes:
        text: the sentence as the model writes it: words in lower case, no punctuation.
        log_prob: natural logarithm of its probability, the product of the probabilities of its
            words.
        words: its words with their probabilities, given the photo and the preceding words.
        alternatives: the other sentences that the search found, the best first.
        model: the name of the bundle that wrote it.
        seconds: time from the decoded photo to the sentence.
        decoding: the settings of the search.
        confidence: estimated probability that the caption is good, 0 to 1; None if the model was
            never calibrated.
        familiar: whether the photo resembles the training photos; None without calibration.
        level: "sure", "fairly sure" or "not sure"; None without calibration.
        kind: what the picture looks like, "photo" or one of the other `picture_kind.KINDS`; None
            if only its features are known, or if the model did not learn from photos.
        neutral: `text` as people read it: without the details below `decoding.detail_certainty`,
            and with "person", "people" or "child" where the model is less certain than
            `decoding.gender_certainty` of a gender; None if nothing changes.
    """

    text: str
    log_prob: float
    words: tuple[Word, ...]
    alternatives: tuple[Alternative, ...]
    model: str
    seconds: float
    decoding: DecodingConfig
    confidence: float | None = None
    familiar: bool | None = None
    level: Level | None = None
    kind: Kind | None = None
    neutral: str | None = None

    @property
    def sentence(self) -> str:
        """The caption as people read it: `neutral`, with a capital letter and a full stop."""
        return sentence(self.text if self.neutral is None else self.neutral)

    @property
    def certain_places(self) -> list[int]:
        """Which of the words remain without the details below `decoding.detail_certainty`.

        A sampled caption keeps all of them: it is meant to have unlikely words.
        """
        if self.decoding.detail_certainty == 0 or self.decoding.strategy == "sample":
            return list(range(len(self.words)))
        asked = asked_words(self.decoding)
        certain = [None if w.word in asked else math.exp(w.log_prob) for w in self.words]
        words = [word.word for word in self.words]
        return certain_places(words, certain, self.decoding.detail_certainty)

    @property
    def left_out(self) -> list[str]:
        """The details of `text` that `sentence` leaves out, such as "in a red shirt"."""
        return left_out([word.word for word in self.words], self.certain_places)

    @property
    def doubtful(self) -> bool:
        """Whether the caption needs a warning wherever it is shown or stored."""
        return self.level == "not sure" or self.kind not in (None, "photo")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as the command line prints it; `caption` holds the sentence."""
        content = asdict(self)
        lists = {name: list(content[name]) for name in ("words", "alternatives")}
        decoding = self.decoding.to_dict()
        return {"caption": content.pop("text"), **content, **lists, "decoding": decoding}
