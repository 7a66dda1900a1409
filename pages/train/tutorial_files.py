"""Parts of the Train pages for classes that follow a tutorial: reading and writing its files."""

import tempfile
from pathlib import Path

import streamlit as st

from captioning.bundle import Bundle
from captioning.datasets import available_datasets, load_named
from captioning.errors import CaptioningError
from captioning.runs import Run
from captioning.tutorial_files import ClassFiles, read_class_files, take_over
from pages.train.cache import data_sets, model_of
from pages.ui import cache
from pages.ui.components import main_button, problem, prose
from pages.ui.rights import is_teacher
from pages.ui.wording import counted, plain

_UPLOAD_MB = 600
_NO_DATA = "none"
_PHOTOS = 100


def offer_files(page: str, run: Run | None = None) -> None:
    """Offer any model, and that of a run, as the files of a tutorial.

    Args:
        page: for the keys.
        run: whose model is offered first.
    """
    models = dict(cache.models())
    if run is not None and run.has_model:
        models = {f"run {run.id}": model_of(run), **models}
    if not models:
        return
    with st.expander("Download as the files of a tutorial", icon=":material/school:"):
        prose("train-tutorial")
        with st.grid(3, min_column_width=180):
            name = st.selectbox("Model", list(models), key=f"{page}.tutorial.model")
            data = st.selectbox(
                "descriptions.txt and features.p of",
                [_NO_DATA, *(d.name for d in available_datasets() if d.has_photos)],
                key=f"{page}.tutorial.data",
                help="Training needs them; captioning a photo does not.",
            )
            photos = st.number_input(
                "Number of training photos",
                1,
                10_000,
                _PHOTOS,
                key=f"{page}.tutorial.photos",
                disabled=data == _NO_DATA,
            )
        _offer_zip(page, models[name], None if data == _NO_DATA else data, int(photos))


def bring_files(page: str) -> None:
    """Let the teacher upload files, check them, and make a data set of them."""
    if not is_teacher():
        return
    with st.expander("Upload the files of a tutorial", icon=":material/school:"):
        st.caption(
            "`descriptions.txt` has a photo's name, a tab and a caption on each line. The features "
            'are best saved as `features.npz`: `numpy.savez("features.npz", **features)`. A '
            "`features.p` is read too, but a pickle can run any program, so one that does more "
            "than make arrays is refused."
        )
        with st.grid(2, min_column_width=260):
            descriptions = st.file_uploader(
                "descriptions.txt", "txt", key=f"{page}.tutorial.descriptions"
            )
            features = st.file_uploader(
                "features.npz or features.p",
                ["npz", "p", "pkl", "pickle"],
                key=f"{page}.tutorial.features",
                max_upload_size=_UPLOAD_MB,
            )
        if descriptions is None or features is None:
            return
        try:
            files = _read(descriptions.getvalue(), features.getvalue(), Path(features.name).suffix)
            _show_files(files)
            _take_over(page, files)
        except CaptioningError as error:
            problem(error)


def _offer_zip(page: str, bundle: Bundle, data: str | None, photos: int) -> None:
    if not st.button("Create the files", icon=":material/folder_zip:", key=f"{page}.tutorial.make"):
        return
    from captioning.tutorial_files import zip_tutorial_files

    try:
        captioner = cache.captioner(bundle)
        with st.spinner("Writing the script, the weights and the picture…"):
            dataset = load_named(data) if data else None
            content = zip_tutorial_files(captioner, dataset=dataset, photos=photos)
    except CaptioningError as error:
        problem(error)
        return
    st.download_button(
        **main_button(f"Download ({len(content) / 1e6:.1f} MB)"),
        data=content,
        file_name=f"{bundle.name}-tutorial.zip",
        mime="application/zip",
        key=f"{page}.tutorial.download",
        icon=":material/download:",
        on_click="ignore",
    )
    st.code("python testing_caption_generator.py -i photo.jpg", language="bash")


def _read(descriptions: bytes, features: bytes, ending: str) -> ClassFiles:
    with tempfile.TemporaryDirectory() as place:
        paths = Path(place) / "descriptions.txt", Path(place) / f"features{ending}"
        for path, content in zip(paths, (descriptions, features), strict=True):
            path.write_bytes(content)
        try:
            return read_class_files(*paths)
        except CaptioningError as error:
            # People know the name of their file, and not its temporary path.
            raise type(error)(str(error).replace(f"{place}/", "")) from error


def _show_files(files: ClassFiles) -> None:
    captions = sum(map(len, files.captions.values()))
    figures = {
        "Photos": f"{len(files.features):,}",
        "Captions": f"{captions:,}",
        "Different words": f"{files.words:,}",
        "Numbers per photo": " x ".join(map(str, files.shape)),
    }
    with st.grid(4, min_column_width=120):
        for name, value in figures.items():
            st.metric(name, value)
    origin = f"{files.encoder.name} {files.encoder.layer}" if files.encoder else "no encoder known"
    left_out = [
        f"{counted(len(names), 'photo')} with only {what} left out"
        for what, names in (
            ("captions", files.without_features),
            ("features", files.without_captions),
        )
        if names
    ]
    st.caption(f"Features of this shape usually come from {plain(origin)}. {'; '.join(left_out)}")
    name, texts = next(iter(files.captions.items()))
    st.markdown(f"{plain(name)}: {plain(' / '.join(texts[:3]))}")


def _take_over(page: str, files: ClassFiles) -> None:
    name = st.text_input("Name of the data set", "our-class", key=f"{page}.tutorial.name")
    if st.button("Create a data set", icon=":material/add:", key=f"{page}.tutorial.take"):
        dataset = take_over(files, name)
        data_sets.clear()
        kind = "merge" if len(files.shape) == 1 else "any"
        st.success(
            f"{plain(dataset.name)} is among the data sets below. Choose it there, with the "
            f"encoder {plain(str(files.encoder and files.encoder.name))}, layer "
            f"{plain(str(files.encoder and files.encoder.layer))}, and {kind} decoder; no photo is "
            "needed."
        )
