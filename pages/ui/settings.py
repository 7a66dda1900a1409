"""Which model writes a caption, how it chooses words, and what the sentence must contain."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecodingConfig
from captioning.metrics import format_headline
from captioning.vocabulary import SPECIAL
from pages.ui import cache
from pages.ui.components import problem, prose
from pages.ui.wording import plain

BEAM, SAMPLE = WAYS = ("Best sentences", "Drawn at random")
WIDEST_BEAM = 10
_GENDER_CERTAINTY = DecodingConfig().gender_certainty
_DETAIL_CERTAINTY = 0.4
"""For models that keep all details by default."""
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def open_page(page: str, title: str) -> dict[str, Bundle]:
    """Write a page's title and introduction, and return the models by name.

    Without a model, the page says so and ends.
    """
    st.header(title, anchor=False)
    prose(page)
    models = cache.models()
    if not models:
        prose("no-model")
        st.stop()
    check_link(page, models)
    return models


def choose_settings(page: str, models: Mapping[str, Bundle]) -> tuple[Bundle, DecodingConfig]:
    """Ask for the model, and for the way it chooses words."""
    with st.popover("Settings", icon=":material/tune:"):
        name = next(iter(models))
        if len(models) > 1:
            name = st.selectbox("Model", list(models), key=f"{page}.model", bind="query-params")
            say_needs(models.values())
        bundle = models[name]
        return bundle, choose_decoding(page, bundle)


def say_needs(bundles: Iterable[Bundle]) -> None:
    """List the models that cannot run yet, and how to change that."""
    found = {bundle.name: bundle for bundle in bundles}
    for text in _needs(tuple(found), found):
        st.caption(text)


@st.cache_data(ttl=5, max_entries=16, show_spinner=False)  # looks for each model's weights
def _needs(names: tuple[str, ...], _bundles: Mapping[str, Bundle]) -> list[str]:
    lacking = [bundle for bundle in _bundles.values() if not bundle.has_weights]
    texts = []
    if known := [bundle.name for bundle in lacking if bundle.has_known_encoder]:
        texts.append(
            f":material/download: {plain(', '.join(known))}: the ImageNet weights are not on this "
            "machine. Choose such a model to download them; that needs a network."
        )
    if unknown := [bundle.name for bundle in lacking if not bundle.has_known_encoder]:
        texts.append(
            f":material/extension_off: {plain(', '.join(unknown))}: the encoder is not known here. "
            "Such a model needs the package that its encoder comes from."
        )
    return texts


def check_link(page: str, models: Mapping[str, Bundle]) -> None:
    """Show what is wrong with the model that the link names, if it cannot be used."""
    asked = st.query_params.get(f"{page}.model")
    if asked and asked not in models and (error := cache.missing_model(asked)):
        problem(error)


@st.dialog("About the model", width="large")
def show_model(bundle: Bundle) -> None:
    """Describe a model in a dialog: what it does, its scores, and its card."""
    st.markdown(
        f"**{plain(bundle.name)}** looks at a photo and writes one English sentence about it. It "
        f"knows {len(bundle.vocabulary) - len(SPECIAL):,} words and uses no others. "
        "It always writes a sentence, so it is often partly wrong: check what matters."
    )
    say_publication(bundle)
    for score in bundle.scores():
        st.caption(_score(score))
    st.caption(
        f"Inside: the encoder {plain(bundle.encoder.name)} turns the photo into numbers, and "
        f"{bundle.decoder.cell_name} ({bundle.decoder.kind}) writes the words."
    )
    card = _COMMENT.sub("", bundle.card)
    if card.strip():
        with st.expander("Model card: data, training, results, limits"):
            st.markdown(card)


def say_publication(bundle: Bundle) -> None:
    """Say who published a model, when, and from which run, if somebody did."""
    if bundle.published is not None:
        who = f" by {plain(bundle.published.by)}" if bundle.published.by else ""
        when = bundle.published.at[:16].replace("T", " ")
        run = plain(bundle.published.run)
        st.caption(f"Published{who} on {plain(when)} (UTC) from the run {run}.")


def _score(score: Mapping[str, Any]) -> str:
    return (
        f"{format_headline(score)} on the {score['images']:,} "
        f"photos of {plain(str(score['data']))}, {plain(str(score['split']))} split, "
        f"with beam width {score['beam_width']}."
    )


def choose_decoding(page: str, bundle: Bundle) -> DecodingConfig:
    """Ask how words are chosen; every answer is part of the link."""
    usual = _follow_model(page, bundle)
    way = st.segmented_control(
        "How words are chosen",
        WAYS,
        default=BEAM,
        required=True,
        key=f"{page}.way",
        bind="query-params",
    )
    chosen = _beam(page, bundle) if way == BEAM else _sample(page)
    wishes = _wishes(page, bundle, may_require=way == BEAM)
    # Last: if the visitor's next click ends this run early, the next run sets the values again.
    st.session_state[f"{page}.usual"] = usual
    return bundle.decoding.replace(**chosen, **wishes)


def how_chosen(decoding: DecodingConfig) -> str:
    """Say in a few words how a sentence was chosen.

    >>> how_chosen(DecodingConfig(beam_width=3, banned_words=("man",)))
    'with beam width 3, steered'
    """
    if decoding.strategy == "sample":
        way = f"by chance, seed {decoding.seed}"
    else:
        way = f"with beam width {decoding.beam_width}"
    wishes = decoding.prefix or decoding.required_words or decoding.banned_words
    return way + (", steered" if wishes or decoding.no_repeat else "")


def begin_with(page: str, words: str) -> None:
    """Let the sentence begin with `words` from the next rerun; the model chooses if empty."""
    st.session_state[f"{page}.begin"] = words


def _follow_model(page: str, bundle: Bundle) -> dict[str, object]:
    """Set unchanged settings to the defaults of the chosen model; return the defaults."""
    decoding = bundle.decoding
    usual: dict[str, object] = {
        "beam_width": decoding.beam_width,
        "length_penalty": decoding.length_penalty,
        "certain": decoding.detail_certainty > 0,
    }
    before = st.session_state.get(f"{page}.usual", usual)
    for name, value in usual.items():
        key = f"{page}.{name}"
        # A run that was ended early may not have stored what its widgets show.
        if value != before[name] and st.session_state.get(key, before[name]) == before[name]:
            st.session_state[key] = value
    return usual


def _beam(page: str, bundle: Bundle) -> dict[str, object]:
    width = st.slider(
        "Beam width",
        1,
        WIDEST_BEAM,
        bundle.decoding.beam_width,
        key=f"{page}.beam_width",
        bind="query-params",
        help="How many unfinished sentences the search keeps at each word. 1 is greedy search.",
    )
    penalty = st.slider(
        "Length penalty",
        0.0,
        2.0,
        bundle.decoding.length_penalty,
        0.1,
        key=f"{page}.length_penalty",
        bind="query-params",
        help="0 favours short sentences, 2 favours long ones. It only ranks the sentences that "
        "the search has found.",
    )
    return {"strategy": "beam", "beam_width": width, "length_penalty": penalty}


def _sample(page: str) -> dict[str, object]:
    temperature = st.slider(
        "Temperature",
        0.1,
        2.0,
        1.0,
        0.1,
        key=f"{page}.temperature",
        bind="query-params",
        help="Below 1, likely words are drawn more often; above 1, unlikely words.",
    )
    top_k = st.slider(
        "Sample from the k most likely words (top-k)",
        0,
        100,
        0,
        key=f"{page}.top_k",
        bind="query-params",
        help="0 samples from all words.",
    )
    top_p = st.slider(
        "Sample from the most likely words with this total probability (top-p)",
        0.05,
        1.0,
        1.0,
        0.05,
        key=f"{page}.top_p",
        bind="query-params",
    )
    with st.container(horizontal=True):
        samples = st.number_input("Sentences", 1, 10, 3, key=f"{page}.samples", bind="query-params")
        seed = st.number_input(
            "Seed",
            0,
            999_999,
            0,
            key=f"{page}.seed",
            bind="query-params",
            help="The same seed draws the same sentences.",
        )
    return {
        "strategy": "sample",
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "samples": samples,
        "seed": seed,
    }


def _wishes(page: str, bundle: Bundle, *, may_require: bool) -> dict[str, object]:
    begin = st.text_input(
        "Begin with", key=f"{page}.begin", bind="query-params", placeholder="two children"
    )
    must = ""
    if may_require:
        must = st.text_input(
            "Words that must occur", key=f"{page}.must", bind="query-params", placeholder="dog"
        )
    without = st.text_input(
        "Words that must not occur", key=f"{page}.without", bind="query-params", placeholder="man"
    )
    # A model that never repeats words has nothing to switch on.
    no_repeat = bundle.decoding.no_repeat
    if not no_repeat:
        asked = st.toggle(
            "Do not repeat three words in a row", key=f"{page}.no_repeat", bind="query-params"
        )
        no_repeat = 3 if asked else 0
    neutral = st.toggle(
        "Neutral words for people",
        True,
        key=f"{page}.neutral",
        bind="query-params",
        help="Writes person, people or child where the model is less than "
        f"{_GENDER_CERTAINTY:.0%} certain of man, woman, boy or girl.",
    )
    at_least = bundle.decoding.detail_certainty or _DETAIL_CERTAINTY
    certain = may_require and st.toggle(
        "Leave out uncertain details",
        bundle.decoding.detail_certainty > 0,
        key=f"{page}.certain",
        bind="query-params",
        help="Leaves out colours, actions and things if one of their words has a probability below "
        f"{at_least:.0%}.",
    )
    return {
        "gender_certainty": _GENDER_CERTAINTY if neutral else 0.0,
        "detail_certainty": at_least if certain else 0.0,
        "prefix": tuple(_words(begin)),
        "required_words": tuple(_words(must)),
        "banned_words": tuple(_words(without)),
        "no_repeat": no_repeat,
    }


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
