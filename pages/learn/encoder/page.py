"""Lesson 2: how a CNN turns pixels into regions."""

import numpy as np
import streamlit as st

from captioning.errors import CaptioningError
from pages.learn.encoder.activations import (
    PAPERS,
    Opened,
    most_varied,
    open_up,
    peaks,
    questions,
)
from pages.learn.encoder.drawing import (
    draw_channels,
    draw_field,
    draw_product,
    draw_scaled,
)
from pages.learn.frame import LessonPage, open_lesson
from pages.learn.guessing import Answer
from pages.learn.inspector import lit
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.wording import counted, plain

IDEA = (
    "A convolution slides a small grid of learned numbers over the photo and adds up products. "
    "Layer by layer the map gets smaller, and each place on it sees more of the photo."
)
_SHOWN = 12
_OFFERED = 8
_ALIKE = 8
"""How far the colours of a grey photo may differ after JPEG compression, of 256."""


def show() -> None:
    """Show the lesson."""
    page = open_lesson("encoder", IDEA)
    opened = open_up(page.subject)
    answer = _guess_field(page, opened)
    _pixels(page, opened)
    _by_hand(page, opened)
    _separable(page, opened)
    _maps(page, opened, revealed=answer is not None)
    _channel(page)
    page.code("captioning.lessons.convolution", "convolve_at")
    page.questions(questions(opened))
    page.papers(PAPERS)
    page.close()


_SHARES = ("about 1/50 of the photo", "about 1/4 of the photo", "nearly all of the photo")


def _guess_field(page: LessonPage, opened: Opened) -> Answer | None:
    last = opened.maps[-1]
    return page.guess(
        "field",
        f"The last map has {last.height} × {last.width} places. How much of the photo can change "
        "the numbers at its middle place?",
        lambda: _field_answer(opened),
        options=_SHARES,
    )


def _field_answer(opened: Opened) -> Answer:
    last, size = opened.maps[-1], opened.pixels.shape[0]
    box = opened.fields[last.name].at(last.height // 2, last.width // 2)
    share = box.pixels / size**2
    right = _SHARES[0 if share < 0.1 else 1 if share < 0.6 else 2]
    return Answer(
        right=[right],
        because=f"It reads {box.bottom - box.top + 1} × {box.right - box.left + 1} of "
        f"{size} × {size} pixels, {100 * share:.0f}%. Further down you can see where.",
    )


def _pixels(page: LessonPage, opened: Opened) -> None:
    page.heading("Pixels, as the encoder reads them")
    low, high = float(opened.scaled.min()), float(opened.scaled.max())
    size = opened.pixels.shape[0]
    page.text(
        f"The photo is resized to {size} × {size} pixels. Each has three numbers from 0 to 255; "
        f"after scaling they lie between {low:.2f} and {high:.2f}."
        + (" This photo is grey, so its three colours are equal." if _is_grey(opened) else "")
    )
    page.picture(
        lambda look: draw_scaled(opened.pixels, opened.scaled, look),
        key=("scaled",),
        alt=f"The photo at {size} by {size} pixels and its red, green and blue after scaling, "
        f"from {low:.2f} to {high:.2f}.",
        width=560,
    )


def _is_grey(opened: Opened) -> bool:
    red, *others = np.moveaxis(opened.pixels, 2, 0).astype(int)
    return all(np.abs(red - other).max() <= _ALIKE for other in others)


def _by_hand(page: LessonPage, opened: Opened) -> None:
    from captioning.lessons.convolution import convolve_at

    layer = opened.encoder.first_convolution
    page.heading("A convolution by hand")
    rows, columns, kernels = opened.first.shape
    usual = _liveliest_place(opened.first)
    with st.grid(3, min_column_width=180):
        row = st.slider(
            "Row", 0, rows - 1, usual[0], key=f"encoder.row.{rows}", bind="query-params"
        )
        column = st.slider(
            "Column", 0, columns - 1, usual[1], key=f"encoder.column.{rows}", bind="query-params"
        )
        kernel = st.slider(
            "Kernel", 0, kernels - 1, 0, key=f"encoder.kernel.{kernels}", bind="query-params"
        )
    product = convolve_at(layer, opened.read, row, column, kernel)
    keras = float(opened.first[row, column, kernel])
    left, right = st.columns([1, 2], gap="large")
    with left:
        box = opened.fields[layer.name].at(row, column)
        page.picture(
            lambda look: draw_field(opened.pixels, box, (rows, columns), (row, column), look),
            key=("patch on photo", row, column),
            alt=f"The photo with a box around rows {box.top} to {box.bottom} and columns "
            f"{box.left} to {box.right}: the patch.",
            caption="The patch on the photo.",
        )
    with right:
        page.picture(
            lambda look: draw_product(product, ("red", "green", "blue"), look),
            key=("product", row, column, kernel),
            alt=f"Patch, kernel and products as grids of numbers; they sum to {product.total:.5f}.",
            caption="Blue is below zero, red above.",
        )
    sums = product.products.sum(axis=(0, 1))
    shown = " + ".join(f"({value:.4f})" for value in sums)
    bias = f" + ({product.bias:.4f})" if layer.use_bias else ""
    page.formula(
        rf"y = \sum_{{c}} \sum_{{i,j}} x_{{ijc}} \, w_{{ijc}} = {shown}{bias} = {product.total:.5f}"
    )
    after = f"After {layer.activation.__name__}: {product.value:.5f}. " if layer.use_bias else ""
    page.text(
        f"{after}Keras gives {keras:.5f} at this place; the two differ by "
        f"{abs(keras - product.value):.7f}."
    )


def _liveliest_place(values: np.ndarray) -> tuple[int, int]:
    """Return the place at which a map is farthest from its mean, away from its edge."""
    distances = np.abs(values - values.mean(axis=(0, 1))).sum(axis=2)
    inner = distances[2:-2, 2:-2]
    row, column = np.unravel_index(int(inner.argmax()), inner.shape)
    return int(row) + 2, int(column) + 2


def _separable(page: LessonPage, opened: Opened) -> None:
    from captioning.lessons.convolution import multiplications

    page.heading("The same in two cheaper steps (separable convolution)")
    pair = opened.pair
    if pair is None:
        last = opened.encoder.first_convolution
        cost = multiplications(3, last.filters, 2 * last.filters, *opened.first.shape[:2])
        page.text(
            f"The encoder {opened.encoder.encoder.config.name} has ordinary convolutions only. In "
            f"two steps, one with {last.filters} to {2 * last.filters} channels on its first map "
            f"would need {cost.saving:.1f} times fewer multiplications."
        )
        return
    page.text(
        "A separable convolution first looks at neighbours in each channel alone (depthwise), then "
        "mixes the channels at each place (pointwise)."
    )
    _two_steps(page, opened)
    cost = pair.cost
    page.table(
        {
            "way": ["whole", "depthwise", "pointwise", "both steps"],
            "multiplications": [
                f"{n:,}" for n in (cost.whole, cost.depthwise, cost.pointwise, cost.separable)
            ],
            "for each place": [
                f"{pair.kernel}·{pair.kernel}·{pair.channels}·{pair.filters}",
                f"{pair.kernel}·{pair.kernel}·{pair.channels}",
                f"{pair.channels}·{pair.filters}",
                f"{pair.channels}·({pair.kernel}·{pair.kernel} + {pair.filters})",
            ],
        },
        caption=f"For the whole map of {pair.height} × {pair.width} places: the two steps need "
        f"{cost.saving:.1f} times fewer multiplications.",
    )


def _two_steps(page: LessonPage, opened: Opened) -> None:
    from captioning.lessons.convolution import two_steps

    pair = opened.pair
    if pair is None:
        return
    place = (pair.height // 2, pair.width // 2)
    # Many channels are 0 at a given place: begin with one that is not.
    read = opened.values[pair.read]
    usual = int(np.abs(read[read.shape[0] // 2, read.shape[1] // 2]).argmax())
    with st.grid(2, min_column_width=220):
        channel = st.slider(
            "Channel to look at", 0, pair.channels - 1, usual, key=f"encoder.in.{pair.channels}"
        )
        kernel = st.slider(
            "Pointwise filter", 0, pair.filters - 1, 0, key=f"encoder.filter.{pair.filters}"
        )
    steps = two_steps(opened.encoder, opened.values, pair, place, channel, kernel)
    page.picture(
        lambda look: draw_product(steps.depthwise, (f"channel {channel}",), look),
        key=("depthwise", channel),
        alt=f"Patch, kernel and products of one channel; they sum to {steps.depthwise.total:.5f}.",
        width=680,
    )
    page.formula(
        rf"d_{{{channel}}} = \sum_{{i,j}} x_{{ij}} \, w_{{ij}} = {steps.depthwise.total:.5f}"
    )
    terms = steps.pointwise.products.ravel()
    shown = " ".join(f"{value:+.4f}" for value in terms[:4])
    page.formula(rf"y = \sum_{{c}} d_c \, v_c = {shown} \ldots = {steps.pointwise.total:.5f}")
    page.text(
        f"This is the middle of the map; its {pair.channels} channels are mixed into filter "
        f"{kernel}. Keras gives {steps.keras:.5f}, the two differ by "
        f"{abs(steps.keras - steps.pointwise.total):.7f}."
    )


def _maps(page: LessonPage, opened: Opened, *, revealed: bool) -> None:
    """Show channels of a map and, after the guess, what one of its places sees."""
    page.heading("Maps, and what a place sees")
    names = list(range(len(opened.maps)))
    number = st.segmented_control(
        "Map",
        names,
        default=names[-1],
        required=True,
        format_func=lambda n: "{}×{}×{}".format(*opened.maps[n].shape),
        key=f"encoder.map.{len(names)}",
        bind="query-params",
    )
    left, right = st.columns([1, 2], gap="large")
    with left:
        if revealed:
            _place(page, opened, number)
        else:
            page.say_more_follows()
    with right:
        _channels(page, opened, number)
        if revealed:
            page.text(_field_text(opened, number))


def _place(page: LessonPage, opened: Opened, number: int) -> None:
    """Show which pixels can change one place of a map."""
    spec = opened.maps[number]
    row = st.slider(
        "Row of the place",
        0,
        spec.height - 1,
        spec.height // 2,
        key=f"encoder.place_row.{spec.height}",
    )
    column = st.slider(
        "Column of the place",
        0,
        spec.width - 1,
        spec.width // 2,
        key=f"encoder.place_column.{spec.width}",
    )
    box = opened.fields[spec.name].at(row, column)
    page.picture(
        lambda look: draw_field(opened.pixels, box, (spec.height, spec.width), (row, column), look),
        key=("field", spec.name, row, column),
        alt=f"The photo, bright in rows {box.top} to {box.bottom} and columns {box.left} to "
        f"{box.right}: the receptive field.",
        caption="Bright: pixels that can change this place. Solid box: the place itself.",
    )


def _channels(page: LessonPage, opened: Opened, number: int) -> None:
    """Show the channels of a map that differ most over the photo."""
    spec = opened.maps[number]
    values = opened.values[spec.name]
    best = most_varied(page.subject, spec.name, values, _SHOWN)
    page.picture(
        lambda look: draw_channels(values.astype(np.float32), best, look),
        key=("channels", spec.name),
        alt=f"The {len(best)} channels of the map that differ most over the photo: "
        f"{', '.join(map(str, best))}.",
        caption=f"{len(best)} of {spec.channels} channels: those that differ most over the photo.",
    )


def _field_text(opened: Opened, number: int) -> str:
    spec = opened.maps[number]
    field = opened.fields[spec.name]
    if field.whole:
        return (
            "Every pixel can change every place of this map, because a layer before it takes the "
            "mean over the whole photo (squeeze and excitation)."
        )
    return (
        f"Places are {field.rows.jump} pixels apart, and each sees up to "
        f"{field.rows.size:.0f} × {field.columns.size:.0f} pixels; less at the edge of the photo."
    )


def _channel(page: LessonPage) -> None:
    subject = page.subject
    features = subject.features[0]
    page.heading("What activates a channel")
    options = most_varied(subject, "features", features, _OFFERED)
    channel = st.selectbox(
        "Channel of the features",
        options,
        format_func=lambda n: f"channel {n}",
        key=f"encoder.channel.{subject.key[2]}.{subject.bundle.name}",
        width=260,
    )
    if features.ndim == 2:
        grid = subject.captioner.encoder.grid
        _activating_regions(page, features[:, channel].reshape(grid), channel)
    else:
        page.text(f"On this photo channel {channel} is {features[channel]:.4f}.")
    _activating_photos(page, channel)


def _activating_regions(page: LessonPage, values: np.ndarray, channel: int) -> None:
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    page.image(
        lit(page.subject, values, 640),
        alt=f"The photo, bright where channel {channel} is large, most in row {row}, "
        f"column {column} of the regions.",
        caption=f"Bright where channel {channel} is large: at most {values.max():.3f}, in row "
        f"{row + 1} and column {column + 1} of the {values.shape[0]} × {values.shape[1]} regions.",
        width=360,
    )


def _activating_photos(page: LessonPage, channel: int) -> None:
    from captioning.lessons.encoder import strongest_photos

    if not st.toggle(
        "Photos of the data set that activate it most", key="encoder.photos", bind="query-params"
    ):
        return
    try:
        dataset = cache.gallery()
        looked_at = peaks(page.subject, dataset)
        found = strongest_photos(looked_at, channel)
        st.caption(
            f"The {len(found)} strongest of {counted(len(looked_at.names), 'photo')} of "
            f"{plain(dataset.name)}, by the channel's largest value in each."
        )
        with st.grid(4, min_column_width=150):
            for name, value in found:
                with st.container():
                    st.image(cache.thumbnail(dataset.path(dataset[name])), alt=f"The photo {name}")
                    st.caption(f"{plain(name)}: {value:.3f}")
    except CaptioningError as error:
        problem(error)


if __name__ == "__main__":
    show()
