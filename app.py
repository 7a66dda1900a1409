"""The frame of the app: its pages, grouped into the sections of the sidebar.

    streamlit run app.py

Streamlit reads this file in two roles.  As the script of a session it is `__main__` and draws the
frame around the page asked for.  Once before that, when the server starts, it is imported as a
module and only says what to serve.
"""

from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from pages.shared.memory import keep_compact

ICON = str(Path(__file__).resolve().parent / "assets" / "icon.svg")


def sections() -> dict[str, list[st.Page]]:
    """Return the pages by section, in the order in which the sidebar shows them."""
    return {
        "": [
            st.Page(
                "pages/home/home.py",
                title="Home",
                icon=":material/home:",
                help="What this is, and where to begin.",
                default=True,
            ),
        ],
        "Caption": [
            st.Page(
                "pages/caption/caption.py",
                title="Caption a photo",
                icon=":material/photo_camera:",
                help="Bring photos and read what the model says they show.",
            ),
            st.Page(
                "pages/caption/many.py",
                title="Many photos",
                icon=":material/photo_album:",
                help="A zip or hundreds of photos at once, as a table to correct and download.",
            ),
        ],
        "Explore": [
            st.Page(
                "pages/explore/gallery.py",
                title="Gallery",
                icon=":material/photo_library:",
                help="The photos of the data set, by split.",
            ),
            st.Page(
                "pages/explore/photo.py",
                title="Photo",
                icon=":material/image:",
                help="One photo, its captions beside a model's, and photos like it.",
            ),
            st.Page(
                "pages/explore/search.py",
                title="Search",
                icon=":material/search:",
                help="Captions by words and phrases, photos by a sentence.",
            ),
            st.Page(
                "pages/explore/statistics.py",
                title="Statistics",
                icon=":material/bar_chart:",
                help="Lengths, words, vocabulary: each bar opens its photos.",
            ),
            st.Page(
                "pages/explore/journey.py",
                title="A caption's journey",
                icon=":material/route:",
                help="From text to ids to the rows a decoder learns from.",
            ),
            st.Page(
                "pages/explore/bleu.py",
                title="BLEU",
                icon=":material/straighten:",
                help="The score drawn, and where it misleads.",
            ),
            st.Page(
                "pages/explore/character.py",
                title="What it is like",
                icon=":material/groups:",
                help="Agreement, misspellings, near-duplicates, loaded words.",
            ),
            st.Page(
                "pages/explore/data.py",
                title="Get data",
                icon=":material/download:",
                help="Fetch Flickr8k, or name a folder.",
            ),
        ],
        "Train": [
            st.Page(
                "pages/train/new.py",
                title="New run",
                icon=":material/add_circle:",
                help="Choose what to train and how, and start it.",
            ),
            st.Page(
                "pages/train/watch.py",
                title="Watch",
                icon=":material/monitoring:",
                help="Curves, captions after each epoch, time left.",
            ),
            st.Page(
                "pages/train/compare.py",
                title="Compare",
                icon=":material/compare_arrows:",
                help="Runs side by side; publish, export, try.",
            ),
            st.Page(
                "pages/train/step.py",
                title="Step by step",
                icon=":material/footprint:",
                help="One training step, laid open.",
            ),
        ],
    }


def main() -> None:
    """Draw the frame and run the page asked for."""
    st.set_page_config(
        page_title="Captioning",
        page_icon=ICON,
        layout="wide",
        menu_items={"About": "A CNN looks at your photo, an LSTM writes a sentence about it."},
    )
    st.logo(ICON, size="large")
    st.navigation(sections(), expanded=True).run()


if __name__ == "__main__":
    main()
else:
    # A folder named `pages` beside this file puts Streamlit into its first multi-page scheme until
    # some session has called `st.navigation`; a deep link that comes first would be told that its
    # page does not exist.  So that scheme is off before the first request.
    PagesManager.uses_pages_directory = False
    keep_compact()
    app = st.App(__file__)
