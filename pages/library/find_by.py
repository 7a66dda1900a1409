"""Four ways to find photos, and why each photo was found.

By people's captions, by the model's captions, by its probabilities, and by an example.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from captioning.analysis.caption_index import Hit, PhotoRanking, stem, token_spans
from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.datasets import Photo
from captioning.errors import CaptioningError
from captioning.images import read_image
from captioning.retrieval import EncodedPhotos, SentenceReading, WordGain, find_alike, read_sentence
from captioning.text import tokenize
from pages.library.sources import Place, ranking_of
from pages.ui import cache
from pages.ui.cache import Memory
from pages.ui.components import show_source
from pages.ui.datasets import Explored, highlighted
from pages.ui.photos import PHOTO_TYPES, captioned
from pages.ui.pictures import Picture, as_jpeg
from pages.ui.progress import stoppable, written_about
from pages.ui.wording import percent, plain

WAYS = HUMAN, MACHINE, MODEL, EXAMPLE = (
    "People's captions",
    "The model's captions",
    "The model's probability",
    "A photo like this",
)
OWN_WAYS = WAYS[1:]
_COUNT = 12
_CLEAR = math.log(2)


def way_label(way: str, explored: Explored | None) -> str:
    """Return what a way to find photos is called for this data set."""
    generated = explored is not None and explored.generated
    return "Generated sentences" if way == HUMAN and generated else way


def by_human(page: str, place: Place, explored: Explored, sentence: str) -> None:
    """Find photos whose captions by people share words with a sentence."""
    ranking, inside = explored.ranking, {photo.name for photo in place.photos}
    hits = ranking.nearest(sentence, count=len(explored.dataset))
    found = [hit for hit in hits if hit.photo.name in inside][:_COUNT]
    _unknown(ranking, sentence)

    def why(number: int) -> list[str]:
        hit = found[number]
        best = max(hit.photo.captions, key=lambda text: _shared(text, hit))
        return [marked(best, sentence), _weights(hit)]

    show_hits(page, place, [hit.photo for hit in found], why)
    show_source("captioning.analysis.caption_index", "PhotoRanking.nearest")


def by_machine(
    page: str, place: Place, bundle: Bundle, decoding: DecodingConfig, sentence: str
) -> None:
    """Find photos whose captions by the model share words with a sentence."""
    captions = _written(page, place, bundle, decoding)
    if captions is None:
        return
    described = [Photo(p.name, (captions[p.name],), p.split) for p in place.photos]
    ranking = ranking_of(place.name, described)
    found = ranking.nearest(sentence, count=_COUNT)
    _unknown(ranking, sentence)
    own = {photo.name: photo for photo in place.photos}

    def why(number: int) -> list[str]:
        return [marked(found[number].photo.captions[0], sentence), _weights(found[number])]

    show_hits(page, place, [own[hit.photo.name] for hit in found], why)
    show_source("captioning.analysis.caption_index", "PhotoRanking.nearest")


def by_model(page: str, place: Place, bundle: Bundle, sentence: str) -> None:
    """Find the photos for which the model finds a sentence most probable."""
    encoded = place.encode(bundle)
    if encoded is None or not len(encoded):
        return
    reading = _read(page, place, bundle, encoded, sentence)
    unknown = [w for w, known in zip(reading.words, reading.known, strict=True) if not known]
    if unknown:
        words = plain(", ".join(str(word) for word in unknown))
        st.caption(f"The model does not know these words and ignores them: {words}.")
    found = reading.best(_COUNT)
    own = {photo.name: photo for photo in place.photos}
    photos = [own[encoded.names[hit.place]] for hit in found]
    st.caption(
        f"The {len(found)} best of {len(encoded):,}. The number after a word says how many "
        "times more probable the word is with this photo than on average over all these photos. "
        "Words that are at least twice as probable are marked."
    )

    def why(number: int) -> list[str]:
        hit = found[number]
        whole = f"p(sentence | photo) {percent(hit.log_prob)}"
        return [spoken_gains(hit.words), f"{times(hit.gain)} a word on average; {whole}"]

    show_hits(page, place, photos, why)
    show_source("captioning.retrieval.sentences", "read_sentence")


def by_example(page: str, place: Place, bundle: Bundle) -> None:
    """Find photos like an example, by the features of the model's encoder."""
    file = st.file_uploader("An example photo", type=PHOTO_TYPES, key=f"{page}.example_file")
    name = st.session_state.get(f"{page}.example")
    own = {photo.name: photo for photo in place.photos}
    brought = _brought(file) if file is not None or name not in own else None
    if brought is None and name not in own:
        st.caption('Upload a photo, or choose "More like this" under one of these.')
        some = list(place.photos[:_COUNT])
        show_hits(page, place, some, lambda n: [plain((some[n].captions or (some[n].name,))[0])])
        return
    encoded = place.encode(bundle)
    if encoded is None or not len(encoded):
        return
    vectors = _vectors(encoded)
    if brought is not None:
        # Not through the server's caches: a visitor's photo is forgotten with the session.
        photo = read_image(brought.data, name=brought.name)
        example = _pooled(cache.captioner(bundle).encode([photo]))[0]
        photo.thumbnail((480, 480))
        st.image(as_jpeg(photo), width=240, alt="Your example photo")
    else:
        example = vectors[encoded.names.index(str(name))]
        st.image(place.picture(own[str(name)]), width=240, alt="The example photo")
    found = find_alike(vectors, example, _COUNT + 1)
    found = [hit for hit in found if brought is not None or encoded.names[hit.place] != name][
        :_COUNT
    ]
    photos = [own[encoded.names[hit.place]] for hit in found]

    def why(number: int) -> list[str]:
        said = photos[number].captions or (photos[number].name,)
        return [plain(said[0]), f"Cosine {found[number].cosine:.3f} between the photos' features"]

    show_hits(page, place, photos, why)
    show_source("captioning.retrieval.sentences", "find_alike")


def _brought(file: Any) -> Picture | None:
    """Return the example that the visitor uploaded, else the photo captioned last."""
    if file is not None:
        return Picture(file.name, file.getvalue())
    last = captioned()
    return None if last is None else last.picture


@st.cache_resource(max_entries=1, show_spinner=False)
def _readings() -> Memory[SentenceReading]:
    return Memory(24)


def _read(
    page: str, place: Place, bundle: Bundle, encoded: EncodedPhotos, sentence: str
) -> SentenceReading:
    key = (*_key(bundle, place, encoded), tuple(tokenize(sentence)))
    known = None if place.explored is None else _readings().get(key)
    if known is not None:
        return known
    spot = st.empty()
    with spot.container(), stoppable(page, "Comparing your sentence with every photo") as tell:
        found = read_sentence(cache.writer(bundle), encoded, sentence, on_progress=tell)
    spot.empty()
    if place.explored is not None:  # nothing about a visitor's photos stays on the server
        _readings().put(key, found)
    return found


def _vectors(encoded: EncodedPhotos) -> np.ndarray:
    """Average each photo's regions; a second for a thousand photos."""
    with st.spinner("Comparing photos…"):
        parts = [_pooled(features) for features in encoded.batches(100)]
    return np.concatenate(parts)


def _pooled(features: np.ndarray) -> np.ndarray:
    from captioning.features import pooled

    return pooled(features)


def _written(
    page: str, place: Place, bundle: Bundle, decoding: DecodingConfig
) -> dict[str, str] | None:
    """Return the model's captions of the photos; None until they are written."""
    if place.explored is None:
        return _written_own(page, place, bundle, decoding)
    captions: dict[str, str] = {}
    for split in [place.split] if place.split else ["train", "dev", "test"]:
        if place.explored.dataset.split(split):
            kept = written_about(page, place.explored.dataset, split, bundle, decoding)
            if kept is None:
                return None
            captions |= kept.captions
    return captions


def _written_own(
    page: str, place: Place, bundle: Bundle, decoding: DecodingConfig
) -> dict[str, str]:
    encoded = place.encode(bundle)
    key = (cache.version(bundle), bundle.name, repr(decoding.to_dict()))
    kept = st.session_state.setdefault(f"{page}.written", {})
    known: dict[str, str] = kept.get(key, {})
    st.session_state[f"{page}.written"] = {key: known}
    if encoded is not None:
        captioner, start = cache.captioner(bundle), 0
        for features in encoded.batches(8):
            names = encoded.names[start : start + len(features)]
            start += len(features)
            if any(name not in known for name in names):
                with st.spinner("Captioning your photos…"):
                    said = captioner.describe(features, decoding)
                known.update(zip(names, (c.text for c in said), strict=True))
    return known


def _key(bundle: Bundle, place: Place, encoded: EncodedPhotos) -> tuple[object, ...]:
    data = place.explored.dataset.fingerprint if place.explored else ""
    return str(bundle.folder), cache.version(bundle), data, place.split, len(encoded)


def _unknown(ranking: PhotoRanking, sentence: str) -> None:
    unknown = ranking.unknown(sentence)
    if unknown:
        st.caption(f"Not in any caption: {plain(', '.join(unknown))}.")


def _weights(hit: Hit) -> str:
    shared = ", ".join(f"{plain(word)} {added:.1f}" for word, added in hit.words)
    return f"Shared words: {shared}. Rare words count more (BM25 {hit.score:.1f})"


def _shared(caption: str, hit: Hit) -> float:
    """Weigh a caption by the words it shares with the query; the heaviest one is shown."""
    stems = {stem(word) for word in tokenize(caption)}
    return math.fsum(added for word, added in hit.words if stem(word) in stems)


def show_hits(
    page: str, place: Place, photos: Sequence[Photo], why: Callable[[int], Sequence[str]]
) -> None:
    """Show photos in rows.

    Args:
        page: for keys.
        place: where they were found.
        photos: the best first.
        why: returns lines of Markdown that say why the photo at a place was found.
    """
    if not photos:
        st.info("No photo was found. Try more common words, or another way to search.")
    for number, photo in enumerate(photos):
        left, right = st.columns([1, 4], vertical_alignment="center")
        with left:
            _thumbnail(place, photo)
        with right:
            first, *others = why(number)
            st.markdown(first)
            for line in others:
                st.caption(line)
            with st.container(horizontal=True, vertical_alignment="center"):
                place.link(photo)
                st.button(
                    "More like this",
                    type="tertiary",
                    icon=":material/image_search:",
                    key=f"{page}.like.{photo.name}",
                    on_click=st.session_state.update,
                    args=({f"{page}.by": EXAMPLE, f"{page}.example": photo.name},),
                )


def marked(caption: str, sentence: str) -> str:
    r"""Write a caption as Markdown with the words marked that a sentence has too, in any form.

    >>> marked("Two dogs running", "a dog runs")
    'Two :primary-background[dogs] :primary-background[running]'
    """
    stems = {stem(word) for word in tokenize(sentence)}
    spans = [(s.start, s.end) for s in token_spans(caption) if stem(s.word) in stems]
    return highlighted(caption, spans)


def spoken_gains(words: Sequence[WordGain]) -> str:
    """Write a sentence with the factor by which the photo raised the probability of each word.

    Words that became at least twice as probable are marked.
    """
    parts = []
    for word in words:
        text = plain(word.word) if word.word is not None else "(end)"
        if word.gain is None:
            parts.append(f"{text} :small[:gray[unknown]]")
        elif word.gain >= _CLEAR:
            parts.append(f":primary-background[{text}] :small[{times(word.gain)}]")
        else:
            parts.append(f"{text} :small[:gray[{times(word.gain)}]]")
    return " ".join(parts)


def times(gain: float) -> str:
    """Write a natural logarithm as a factor.

    >>> times(0.0), times(math.log(33.4)), times(math.log(0.25))
    ('×1.0', '×33', '×0.3')
    """
    factor = math.exp(min(gain, 20.0))
    return f"×{factor:,.0f}" if factor >= 9.5 else f"×{factor:.1f}"


def _thumbnail(place: Place, photo: Photo) -> None:
    try:
        st.image(place.picture(photo), width="stretch", alt=f"The photo {photo.name}")
    except CaptioningError as error:
        st.caption(f":material/broken_image: {plain(str(error))}")
