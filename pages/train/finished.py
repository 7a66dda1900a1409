"""The result of a run: its best captions, photos to try it on, and what to do next."""

import streamlit as st

from captioning.errors import CaptioningError
from captioning.runs import (
    Curves,
    Run,
    Runs,
    WrittenCaption,
    best_captions,
    free_name,
    published_model,
    read_curves,
)
from pages.train.cache import data_of, model_of, small_photos
from pages.ui import cache
from pages.ui.captions import show_captions
from pages.ui.components import main_button, problem, say_exact_match
from pages.ui.photos import choose_photo, chosen_photo
from pages.ui.pictures import Picture
from pages.ui.rights import is_teacher
from pages.ui.wording import counted, plain

_BEST = 4
_OFFERED = 6


def show_result(page: str, runs: Runs, run: Run) -> None:
    """Show the result of a run that has ended, and what to do with it."""
    curves = read_curves(run)
    st.subheader("What it learned", anchor=False)
    try:
        _show_verdict(run)
        _show_best(run, curves)
        explain_exact_match(run, curves)
        _show_ways_on(page, runs, run)
        _try_it(page, run)
    except CaptioningError as error:
        problem(error)


def explain_exact_match(run: Run, curves: Curves) -> None:
    """Explain why scores are high on generated shapes, and show the share of exact matches."""
    best = curves.kept
    if run.config.data != "shapes" or best is None:
        return
    say_exact_match(best.get("exact_match"), best["bleu_4"], best["cider"])


def _show_verdict(run: Run) -> None:
    """Show how the model compares with the commonest caption and with the model at the start."""
    facts = (model_of(run).metrics or {}).get("training", {})
    if "verdict" in facts:
        st.markdown(plain(facts["verdict"]))


def _show_best(run: Run, curves: Curves) -> None:
    """Show the captions of the finished model that are nearest to the references."""
    dataset = data_of(run)
    known = {name: dataset[name].captions for name in curves.photos if name in dataset}
    found = best_captions(curves, known)
    if not found:
        st.caption("It did not caption any photo of its dev split.")
        return
    exact = sum(one.exact for one in found)
    st.caption(
        f"Its best captions of {counted(len(found), 'dev photo')}, not used in training; "
        f"{exact} of them equal a reference word for word."
    )
    pictures = small_photos(run, [one.photo for one in found[:_BEST]])
    with st.grid(_BEST, min_column_width=150):
        for one in found[:_BEST]:
            with st.container(gap="xsmall"):
                _show_caption(one, pictures)


def _show_caption(one: WrittenCaption, pictures: dict[str, bytes]) -> None:
    if one.photo in pictures:
        st.image(pictures[one.photo], width="stretch", alt=f"The photo {one.photo}")
    mark = ":material/check_circle: " if one.exact else ""
    st.markdown(f"{mark}**{plain(one.caption) or '(no words)'}**")
    if not one.exact:
        st.caption(f"Nearest reference: {plain(one.nearest)}")


def _show_ways_on(page: str, runs: Runs, run: Run) -> None:
    published = published_model(run)
    with st.container(horizontal=True):
        # On a class server only the teacher publishes; visitors use what was published.
        if (published is not None or is_teacher()) and st.button(
            **main_button("Use it in Caption"),
            icon=":material/photo_camera:",
            key=f"{page}.use",
            help="Publishes the model, so that all pages offer it.",
        ):
            model = published or runs.publish(run.id, free_name(run))
            cache.models.clear()
            st.switch_page("pages/caption/caption.py", query_params={"caption.model": model.name})
        if st.button("Compare", icon=":material/compare_arrows:", key=f"{page}.compare"):
            st.switch_page("pages/train/compare.py", query_params={"compare.run": run.id})
    if published is not None:
        st.caption(f"Published as **{plain(published.name)}**.")


def _try_it(page: str, run: Run) -> None:
    """Let the model caption photos of its data set that were not used in training."""
    st.subheader("Try it on a photo", anchor=False)
    dataset = data_of(run)
    photos = (dataset.split("test") or dataset.split("dev"))[:_OFFERED]
    name = chosen_photo(page)
    if name is not None and name in dataset:
        bundle = model_of(run)
        data = cache.photo_file(dataset.path(dataset[name]))
        show_captions([Picture(name, data)], bundle, bundle.decoding)
    st.caption(f"Photos of {plain(dataset.name)} that were not used in training:")
    pictures = small_photos(run, [photo.name for photo in photos])
    with st.grid(_OFFERED, min_column_width=110):
        for number, (photo, small) in enumerate(pictures.items(), start=1):
            with st.container(gap="xsmall"):
                st.image(small, width="stretch", alt=f"Photo {photo}")
                st.button(
                    f"Caption photo {number}",
                    type="tertiary",
                    width="stretch",
                    key=f"{page}.try.{photo}",
                    on_click=choose_photo,
                    args=(page, photo),
                )
    st.page_link(
        "pages/train/compare.py",
        label="On a photo of your own",
        icon=":material/add_photo_alternate:",
        query_params={"compare.run": run.id},
    )
