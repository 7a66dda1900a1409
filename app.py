"""The frame of the app: its pages, grouped into the sections of the sidebar.

    streamlit run app.py

Streamlit reads this file in two roles.  As the script of a session it is `__main__` and draws the
frame around the page asked for.  Once before that, when the server starts, it is imported as a
module and only says what to serve.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.runtime.pages_manager import PagesManager

from pages.learn.lesson_state import fills_the_screen
from pages.learn.lessons import LESSONS
from pages.ui.guard import Guard
from pages.ui.memory import keep_compact
from pages.ui.rights import ask_for_key

ICON = str(Path(__file__).resolve().parent / "assets" / "icon.svg")

# The pages by section, in the order of the sidebar: file, title, icon, and what it is for.
PAGES = {
    "": [
        ("home/home.py", "Home", "home", "What this is, and where to begin."),
    ],
    "Caption": [
        (
            "caption/caption.py",
            "Caption a photo",
            "photo_camera",
            "Bring photos and read what the model says they show.",
        ),
        (
            "caption/many.py",
            "Many photos",
            "photo_album",
            "A zip or hundreds of photos at once, as a table to correct and download.",
        ),
        (
            "caption/find.py",
            "Find photos",
            "image_search",
            "By a sentence, by what a model would say, or by an example photo.",
        ),
        (
            "caption/evaluate.py",
            "Evaluate",
            "grading",
            "A model's scores, how far to trust them, and what they stand beside.",
        ),
    ],
    "Explore": [
        ("explore/gallery.py", "Gallery", "photo_library", "The photos of the data set, by split."),
        (
            "explore/photo.py",
            "Photo",
            "image",
            "One photo, its captions beside a model's, and photos like it.",
        ),
        (
            "explore/search.py",
            "Search",
            "search",
            "Captions by words and phrases, photos by a sentence.",
        ),
        (
            "explore/statistics.py",
            "Statistics",
            "bar_chart",
            "Lengths, words, vocabulary: each bar opens its photos.",
        ),
        (
            "explore/journey.py",
            "A caption's journey",
            "route",
            "From text to ids to the rows a decoder learns from.",
        ),
        ("explore/bleu.py", "BLEU", "straighten", "The score drawn, and where it misleads."),
        (
            "explore/character.py",
            "What it is like",
            "groups",
            "Agreement, misspellings, near-duplicates, loaded words.",
        ),
        ("explore/data.py", "Get data", "download", "Fetch Flickr8k, or name a folder."),
    ],
    "Learn": [
        *((lesson.file, lesson.title, lesson.icon, lesson.purpose) for lesson in LESSONS),
        ("play/play.py", "Class game", "groups", "A class and two models caption the same photo."),
    ],
    "Train": [
        ("train/new.py", "New run", "add_circle", "Choose what to train and how, and start it."),
        ("train/watch.py", "Watch", "monitoring", "Curves, captions after each epoch, time left."),
        (
            "train/compare.py",
            "Compare",
            "compare_arrows",
            "Runs side by side; publish, export, try.",
        ),
        (
            "train/search_settings.py",
            "Search settings",
            "tune",
            "Short runs try values; the best settings are kept.",
        ),
        ("train/step.py", "Step by step", "footprint", "One training step, laid open."),
    ],
}


def sections() -> dict[str, list[st.Page]]:
    """Return the pages by section, in the order in which the sidebar shows them."""
    return {
        section: [
            st.Page(
                f"pages/{file}",
                url_path=address(file),
                title=title,
                icon=f":material/{icon}:",
                help=purpose,
                default=title == "Home",
            )
            for file, title, icon, purpose in pages
        ]
        for section, pages in PAGES.items()
    }


def address(file: str) -> str:
    """Return the address of a page: its file's name, or its folder's for a `page.py`.

    >>> address(LESSONS[0].file)
    'overview'
    """
    path = Path(file)
    return path.parent.name if path.stem == "page" else path.stem


def main() -> None:
    """Draw the frame and run the page asked for."""
    st.set_page_config(
        page_title="Captioning",
        page_icon=ICON,
        layout="wide",
        menu_items={"About": "A CNN looks at your photo, an LSTM writes a sentence about it."},
    )
    st.logo(ICON, size="large")
    large = fills_the_screen()
    page = st.navigation(sections(), position="hidden" if large else "sidebar", expanded=True)
    if not large:
        ask_for_key()
    page.run()


if __name__ == "__main__":
    main()
else:
    # A folder named `pages` beside this file puts Streamlit into its first multi-page scheme until
    # some session has called `st.navigation`; a deep link that comes first would be told that its
    # page does not exist.  So that scheme is off before the first request.
    PagesManager.uses_pages_directory = False
    keep_compact()
    # Another name for this machine's address is how a hostile page would reach the app.
    hosts = st.get_option("server.allowedHosts") or ["*"]
    app = st.App(
        __file__,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(Guard)],
    )
