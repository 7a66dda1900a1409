"""Journey: what becomes of a caption on its way into the decoder."""

import streamlit as st

from captioning.analysis.text_pipeline import follow, row_count
from captioning.vocabulary import Vocabulary
from pages.explore.chosen_photo import chosen_photo
from pages.ui import cache
from pages.ui.components import prose, show_source
from pages.ui.datasets import Explored, choose_data
from pages.ui.text_pipeline import show_dropped, show_journey, vocabulary_of


def vocabulary(explored: Explored) -> Vocabulary:
    """Ask whose vocabulary: a model's, or one made of the training captions."""
    models = cache.models()
    own = "made here from training captions"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Vocabulary", [own, *models], key="journey.vocabulary")
        if name != own:
            return models[name].vocabulary
        least = st.slider("Smallest count kept", 1, 20, 3, key="journey.min_count")
    return vocabulary_of(explored, least)


st.header("A caption's journey", anchor=False)
prose("explore-journey")
explored = choose_data()
photo = chosen_photo(explored)
written = st.selectbox(
    "A caption of this data set",
    photo.captions,
    key="journey.caption",
    accept_new_options=True,
    help="Choose one, or type your own.",
)
words = vocabulary(explored)
if written:
    show_journey(follow(written, words))

st.subheader("All captions together", anchor=False)
training = explored.index.lengths[explored.index.in_split("train")]
st.markdown(
    f"The training split has **{len(training):,}** captions of **{training.sum():,}** words. A row "
    "for each word and one for the end of each caption: "
    f"{training.sum():,} + {len(training):,} = **{row_count(training):,} rows**."
)
show_dropped(explored)
show_source("captioning.analysis.text_pipeline", "follow")
