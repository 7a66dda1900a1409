"""The navigation of the app: six sections in the sidebar, and the pages of each as tabs.

    streamlit run app.py

Streamlit reads this file in two roles.  As the script of a session it is `__main__` and draws the
frame around the requested page.  Before that, when the server starts, it is imported once as a
module and only defines what to serve.
"""

import sys
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute
from streamlit.runtime.pages_manager import PagesManager

from captioning.api import app_routes, create_app
from captioning.bundle import Bundle, restore_models
from captioning.classroom import is_visited, offers_api
from captioning.errors import CaptioningError
from pages.learn.lessons import LESSONS, PROJECTOR, TOOLS
from pages.ui.components import problem
from pages.ui.guard import Guard
from pages.ui.memory import keep_compact, settle_keras
from pages.ui.rights import ask_for_key

if TYPE_CHECKING:
    from captioning.captioner import Captioner

ICON = str(Path(__file__).resolve().parent / "assets" / "icon.svg")

# The pages by section, in the order of the sidebar and of the tabs: file, name of the tab, icon,
# and what the page is for.  The sidebar shows each section's first page under the section's name.
PAGES = {
    "Caption": [
        (
            "caption/caption.py",
            "Caption a photo",
            "photo_camera",
            "Add a photo and read the caption that the model writes.",
        ),
    ],
    "Library": [
        (
            "library/many.py",
            "Many photos",
            "photo_album",
            "Caption hundreds of photos, correct the captions, download them.",
        ),
        (
            "library/find.py",
            "Find photos",
            "image_search",
            "By a sentence, by the model's captions, or by an example photo.",
        ),
    ],
    "Explore": [
        ("explore/gallery.py", "Gallery", "photo_library", "The photos of the data set, by split."),
        (
            "explore/photo.py",
            "One photo",
            "image",
            "One photo, its captions and a model's caption, and similar photos.",
        ),
        ("explore/search.py", "Search", "search", "Captions by words and phrases."),
        (
            "explore/statistics.py",
            "Statistics",
            "bar_chart",
            "Lengths, words, vocabulary; each bar opens its photos.",
        ),
        (
            "explore/character.py",
            "Data quality",
            "fact_check",
            "Agreement, misspellings, near-duplicates, loaded words.",
        ),
        (
            "explore/data.py",
            "Get data",
            "download",
            "Download Flickr8k, or use a folder of your own.",
        ),
    ],
    "Learn": [
        ("learn/learn.py", "All lessons", "school", "Nine lessons, from pixels to BLEU."),
        *((lesson.file, lesson.title, lesson.icon, lesson.purpose) for lesson in LESSONS),
        *((tool.file, tool.title, tool.icon, tool.purpose) for tool in TOOLS),
    ],
    "Train": [
        (
            "train/new.py",
            "New run",
            "add_circle",
            "Choose data and settings, and start a training run.",
        ),
        ("train/watch.py", "Watch", "monitoring", "Curves, captions after each epoch, time left."),
        (
            "train/compare.py",
            "Compare",
            "compare_arrows",
            "Compare runs; publish, export and try their models.",
        ),
        (
            "train/search_settings.py",
            "Search settings",
            "tune",
            "Find good settings with a series of short runs.",
        ),
    ],
    "Evaluate": [
        (
            "evaluate/evaluate.py",
            "Evaluate",
            "grading",
            "A model's scores, how reliable they are, and baselines.",
        ),
    ],
}
SECTION_ICONS = {
    "Caption": "photo_camera",
    "Library": "photo_album",
    "Explore": "travel_explore",
    "Learn": "school",
    "Train": "model_training",
    "Evaluate": "grading",
}
START = PAGES["Caption"][0][0]
# Old addresses: the page that replaces them, and the new names of their parameters.
MOVED: dict[str, tuple[str, dict[str, str]]] = {
    "caption": (START, {}),
    "journey": ("learn/words/page.py", {"photo.photo": "learn.photo"}),
    "bleu": (
        "learn/scores/page.py",
        {
            "photo.photo": "learn.photo",
            "bleu.text": "scores.own",
            "bleu.order": "scores.order",
            "bleu.examples": "scores.examples",
        },
    ),
}
# Query parameters that a tab passes to the other pages of its section.
CARRIED = ("explore.data",)


def all_pages() -> list[st.Page]:
    """Return the pages; only those of the sidebar are visible.  Old addresses still open a page."""
    # To run a page changes it, so each run of the script has copies of its own.
    return [copy(page) for page in _find_pages()]


@st.cache_resource(show_spinner=False)  # looks for each file on the disk
def _find_pages() -> list[st.Page]:
    pages = [
        st.Page(
            f"pages/{file}",
            url_path="" if file == START else address(file),
            title=name if number else section,
            icon=f":material/{icon if number else SECTION_ICONS[section]}:",
            help=purpose,
            default=file == START,
            visibility="hidden" if number else "visible",
        )
        for section, rows in PAGES.items()
        for number, (file, name, icon, purpose) in enumerate(rows)
    ]
    return [*pages, *(moved_page(old) for old in MOVED)]


def moved_page(old: str) -> st.Page:
    """Return a hidden page at an old address, which opens the page that replaces it."""
    file, renamed = MOVED[old]

    def open_new() -> None:
        asked = st.query_params.to_dict()
        parameters = {renamed.get(key, key): value for key, value in asked.items()}
        st.switch_page(f"pages/{file}", query_params=parameters)

    return st.Page(open_new, url_path=old, title=old.capitalize(), visibility="hidden")


def show_tabs(page: st.Page) -> None:
    """Show the pages of this section as tabs; a lesson links back to the list of lessons."""
    for section, rows in PAGES.items():
        places = [address(file) for file, *_ in rows]
        if len(rows) == 1 or page.url_path not in places:
            continue
        if section == "Learn":
            rows = [] if page.url_path == places[0] else rows[:1]
        carried = {key: st.query_params[key] for key in CARRIED if key in st.query_params}
        with st.container(horizontal=True, gap="xsmall"):
            for file, name, icon, purpose in rows:
                st.page_link(
                    f"pages/{file}",
                    label=name,
                    icon=f":material/{icon}:",
                    help=purpose,
                    query_params=carried,
                )


def address(file: str) -> str:
    """Return the address of a page: its file's name, or its folder's for a `page.py`.

    >>> address(LESSONS[0].file)
    'overview'
    """
    path = Path(file)
    return path.parent.name if path.stem == "page" else path.stem


def fills_the_screen() -> bool:
    """Whether the page is a lesson on a projector, which needs the width of the sidebar too."""
    page = (st.context.url or "").split("?")[0].rstrip("/").rpartition("/")[2]
    asked = st.query_params.get(PROJECTOR, "").lower() in ("1", "true")
    on_projector = bool(st.session_state.get(PROJECTOR, asked))
    return on_projector and page in {lesson.key for lesson in LESSONS}


def main() -> None:
    """Draw the frame and run the requested page."""
    st.set_page_config(
        page_title="Captioning",
        page_icon=ICON,
        layout="wide",
        menu_items={"About": "A CNN encodes your photo, an LSTM writes a sentence about it."},
    )
    st.logo(ICON, size="large")
    large = fills_the_screen()
    page = st.navigation(all_pages(), position="hidden" if large else "sidebar", expanded=True)
    if not large:
        ask_for_key()
        show_tabs(page)
    try:
        page.run()
    except (CaptioningError, OSError) as error:  # such as a full disk, where no page expects it
        problem(error)
    finally:
        if "keras" in sys.modules:  # this page may have been the first to need it
            settle_keras()


def api_routes() -> list[BaseRoute]:
    """Return the routes of the HTTP API (docs/api.md), which shares its models with the pages."""

    def load(bundle: Bundle) -> "Captioner":
        from pages.ui.cache import captioner  # loads plugins, whose errors belong on a page

        return captioner(bundle)

    if not offers_api():
        return []
    return app_routes(create_app(load=load, most_per_client=4 if is_visited() else 32))


if __name__ == "__main__":
    main()
else:
    # A folder named `pages` next to this file puts Streamlit into its first multi-page scheme until
    # a session has called `st.navigation`; until then a deep link shows "Page not found".  So that
    # scheme is switched off before the first request.
    PagesManager.uses_pages_directory = False
    keep_compact()
    restore_models()
    # A hostile page could reach the app through another host name for this machine.
    hosts = st.get_option("server.allowedHosts") or ["*"]
    app = st.App(
        __file__,
        routes=api_routes(),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(Guard)],
    )
