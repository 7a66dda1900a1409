"""The frame of a lesson: header, parts, questions, papers, worksheet, and links.

A lesson opens a page, shows its parts through it, and closes it; the page keeps what it showed, so
that the worksheet holds the same pictures and numbers.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import altair as alt
import streamlit as st
from matplotlib.figure import Figure

from captioning.errors import CaptioningError
from captioning.lessons import worksheet
from captioning.lessons.worksheet import Part, Worksheet
from pages.learn import guessing
from pages.learn.figures import (
    DOTS_PER_INCH,
    drawn,
    formula_png,
    roomy,
    show_image,
    themed,
)
from pages.learn.guessing import Answer
from pages.learn.lessons import (
    LESSONS,
    PROJECTOR,
    STEP,
    TOOLS,
    Lesson,
    arrive,
    controls_hidden,
    forget,
    in_projector,
    lesson,
    recall,
    remember,
)
from pages.learn.subject import PHOTO, Subject, choose_subject, link_parameters
from pages.ui import cache
from pages.ui.components import problem, show_source
from pages.ui.theme import PAPER, Look, look
from pages.ui.wording import plain

_LINE = 720


@dataclass(frozen=True)
class Question:
    """A question, and how the live model answers it.

    Attributes:
        text: in plain text.
        answer: works the answer out, as Markdown; called when it is asked for.
    """

    text: str
    answer: Callable[[], str]


@dataclass(frozen=True)
class Paper:
    """Where an idea comes from."""

    title: str
    authors: str
    year: int
    url: str


def open_lesson(key: str, idea: str) -> "LessonPage":
    """Draw the head of a lesson and ask for photo and model; stop if there is no model.

    Args:
        key: of the lesson.
        idea: in two sentences, plain text.
    """
    this = lesson(key)
    arrive(key)
    large = in_projector()
    remember(PROJECTOR, large)
    hidden = controls_hidden()
    (st.title if large else st.header)(f"{this.number}. {this.title}", anchor=False)
    st.markdown(f"### {plain(idea)}" if large else plain(idea), width="stretch" if large else _LINE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        subject = choose_subject(hidden=hidden)
        if not hidden:
            recall(PROJECTOR, (True, False))
            st.toggle(
                "For a projector",
                key=PROJECTOR,
                bind="query-params",
                help="No sidebar and no side notes; larger headings, text, pictures and formulas, "
                "with full contrast. To enlarge tables and controls, zoom the browser (Ctrl and "
                "+), or start the app with `STREAMLIT_THEME_BASE_FONT_SIZE=22 make run`.",
            )
    return LessonPage(this, subject, idea, look(large=large), hidden=hidden)


class LessonPage:
    """A lesson being shown.

    Attributes:
        lesson: which one.
        subject: the photo and the model.
        look: colours and sizes for pictures.
        large: whether it is shown on a projector: leave out what is secondary.
        hidden: whether the link hides the choice of photo and model.
    """

    def __init__(
        self, lesson: Lesson, subject: Subject, idea: str, look: Look, *, hidden: bool
    ) -> None:
        self.lesson = lesson
        self.subject = subject
        self.look = look
        self.large = look.large
        self.hidden = hidden
        self._idea = idea
        self._parts: list[Callable[[], Part]] = []
        self._step: int | None = None

    def heading(self, text: str) -> None:
        """Begin a part of the lesson."""
        (st.header if self.large else st.subheader)(plain(text), anchor=False)
        self.keep(worksheet.Heading(text))

    def text(self, text: str) -> None:
        """Show plain text, without Markdown, here and on the worksheet."""
        if self.large:
            st.markdown(f"#### {plain(text)}")
        else:
            st.markdown(plain(text), width=_LINE)
        self.keep(worksheet.Text(text))

    def aside(self, markdown: str) -> None:
        """Show a side note in Markdown; the projector mode and the worksheet leave it out."""
        if not self.large:
            st.caption(markdown, width=_LINE)

    def step(self, label: str, words: Sequence[str], *, first: int = 0) -> int:
        """Ask for a place in a sentence; it is part of the link and the same in all lessons.

        People and links count from 1.

        Args:
            label: of the control.
            words: the sentence, one choice a word.
            first: the place chosen at first, from 0.

        Returns:
            The place, from 0.
        """
        last = len(words)
        if last < 2:
            self._step = 1
            return 0
        recall(STEP, range(1, last + 1))
        kept = st.session_state.get(STEP)
        if kept is not None and not 1 <= int(kept) <= last:
            forget(STEP)
        elif kept is None and first and st.query_params.get(STEP) is None:
            st.session_state[STEP] = min(first + 1, last)
        self._step = int(st.slider(label, 1, last, key=STEP, bind="query-params"))
        remember(STEP, self._step)
        return self._step - 1

    def guess(
        self,
        name: str,
        question: str,
        find: Callable[[], Answer],
        *,
        options: Sequence[str] = (),
        about: Hashable = None,
    ) -> Answer | None:
        """Ask for a guess before the answer is shown; None until there is one.

        Args:
            name: of the guess in this lesson.
            question: what to guess, one sentence of Markdown.
            find: works the answer out.
            options: to pick from; without them the guess is typed.
            about: what it depends on in addition to photo and model, such as the step.
        """
        self.keep(worksheet.Ask(f"Guess first: {question.replace('*', '')}", lines=1))
        place = (self.subject.key, about)
        key = f"{self.lesson.key}.{name}"
        return guessing.ask(key, question, find, about=place, options=options, large=self.large)

    def say_more_follows(self) -> None:
        """Say that parts of the lesson are hidden because they show the answer of the guess."""
        st.caption(
            ":material/lock: Guess first. Then the parts of this lesson that show the answer "
            "appear."
        )

    def picture(
        self,
        draw: Callable[[Look], Figure],
        *,
        key: tuple[Hashable, ...],
        alt: str,
        caption: str = "",
        width: int | None = None,
    ) -> None:
        """Show a matplotlib picture; it is drawn once, and once more for the worksheet.

        Args:
            draw: makes the figure, by `figure(look, width, height)`.
            key: names the picture and all it depends on in addition to photo and model.
            alt: what it shows, with its numbers, for those who do not see it.
            caption: the line below it, plain text.
            width: in pixels at most; by default as wide as its place.
        """
        whole = (self.lesson.key, *self.subject.key, *key)
        show_image(drawn(whole, self.look, draw), alt=alt, width=None if self.large else width)
        if caption:
            self._below(caption)
        self._parts.append(
            lambda: worksheet.Picture(drawn(whole, PAPER, draw), alt, caption, DOTS_PER_INCH)
        )

    def _below(self, text: str) -> None:
        """Write the line below a picture; people in the last row read it too."""
        (st.markdown if self.large else st.caption)(plain(text))

    def photo(self, width: int) -> None:
        """Show the photo, at most `width` pixels wide; the worksheet always has it."""
        picture = self.subject.picture
        copy, its_own = cache.preview(picture.data, picture.name)
        show_image(copy, alt=f"The photo {picture.name}", width=min(width, its_own))

    def image(self, data: bytes, *, alt: str, caption: str = "", width: int | None = None) -> None:
        """Show a picture that is a PNG or JPEG already."""
        show_image(data, alt=alt, width=width)
        if caption:
            st.caption(plain(caption))
        self.keep(worksheet.Picture(data, alt, caption))

    def chart(
        self,
        chart: alt.TopLevelMixin,
        *,
        alt: str,
        caption: str = "",
        table: Mapping[str, Sequence[object]] | None = None,
    ) -> None:
        """Show an Altair chart; on the worksheet its numbers are a table, if they are given.

        Args:
            chart: without font sizes, and without colours where possible.
            alt: what it shows, with its numbers.
            caption: the line below it, plain text.
            table: the numbers by column.
        """
        st.altair_chart(themed(chart, self.look), alt=alt)
        if caption:
            st.caption(plain(caption))
        if table is not None:
            self.keep(worksheet.Table(list(table), list(zip(*table.values(), strict=True)), alt))

    def table(self, columns: Mapping[str, Sequence[object]], *, caption: str = "") -> None:
        """Show a small table of plain text and numbers, formatted already."""
        shown = {name: [plain(str(cell)) for cell in cells] for name, cells in columns.items()}
        st.table(shown, hide_index=True, border="horizontal")
        if caption:
            st.caption(plain(caption))
        rows = list(zip(*columns.values(), strict=True))
        self.keep(worksheet.Table(list(columns), rows, caption))

    def formula(self, latex: str) -> None:
        r"""Show a formula, with its real numbers.

        On paper it is rendered by matplotlib, which knows `\frac`, `\sum`, `\sigma`, `\odot`,
        `\mathrm{}`, but no `\text`, `\begin` or `\underbrace`; what it cannot render is printed as
        source.
        """
        # Inline, the formula wraps where the page is narrow; a separate one (`st.latex`) would be
        # cut off.
        size = r"\Large\displaystyle" if self.large else r"\displaystyle"
        st.markdown(f"${size} {roomy(latex)}$", text_alignment="center")
        self._parts.append(lambda: worksheet.Formula(latex, formula_png(latex), DOTS_PER_INCH))

    def keep(self, part: Part) -> None:
        """Put something on the worksheet without showing it."""
        self._parts.append(lambda: part)

    def code(self, module: str, *names: str) -> None:
        """Offer the code of the library's functions that just ran."""
        show_source(module, *names)

    def tool_link(self) -> None:
        """Draw a link to the page that does this lesson's work with any photo or sentence."""
        tool = next(tool for tool in TOOLS if tool.lesson == self.lesson.key)
        if not self.large:
            st.page_link(tool.path, label=tool.title, icon=f":material/{tool.icon}:")

    def questions(self, questions: Sequence[Question]) -> None:
        """Ask questions; the live model answers each when the student opens it."""
        self.heading("Three questions" if len(questions) == 3 else "Questions")
        for number, question in enumerate(questions, start=1):
            self.keep(worksheet.Ask(f"{number}. {question.text}"))
            shown = st.expander(
                plain(question.text),
                icon=":material/help:",
                key=f"{self.lesson.key}.question{number}",
                on_change="rerun",
            )
            if shown.open:
                with shown:
                    _answer(question)

    def papers(self, papers: Sequence[Paper]) -> None:
        """Say where the ideas come from."""
        self.heading("Where this comes from")
        for paper in papers:
            st.markdown(
                f"- [{plain(paper.title)}]({paper.url}), {plain(paper.authors)}, {paper.year}"
            )
            self.keep(worksheet.Text(f"{paper.title}. {paper.authors}, {paper.year}. {paper.url}"))

    def close(self) -> None:
        """Draw the foot: worksheet, link, projector, and the lessons before and after."""
        st.divider()
        self._worksheet()
        if not self.hidden:
            self._link()
        self._onward()

    def _worksheet(self) -> None:
        st.download_button(
            "Worksheet to print",
            self.worksheet,
            file_name=f"lesson-{self.lesson.number}-{self.lesson.key}.html",
            mime="text/html",
            icon=":material/print:",
            key=f"{self.lesson.key}.worksheet",
            on_click="ignore",
        )

    def worksheet(self) -> str:
        """Return the lesson as it stands, as one HTML page that needs nothing else."""
        subject = self.subject
        photo, _ = cache.preview(subject.picture.data, subject.picture.name)
        sheet = Worksheet(
            title=f"{self.lesson.number}. {self.lesson.title}",
            idea=self._idea,
            photo=photo,
            photo_name=subject.picture.name,
            caption=subject.caption.text,
            model=subject.bundle.name,
            parts=[part() for part in self._parts],
        )
        return worksheet.write(sheet)

    def _link(self) -> None:
        with st.expander("Link for class", icon=":material/link:"):
            hide = st.checkbox(
                "Hide the choice of photo and model", key=f"{self.lesson.key}.hide_controls"
            )
            parameters = link_parameters(self.subject, step=self._step, hide=hide)
            here = (st.context.url or "").split("?")[0]
            st.code(f"{here}?{urlencode(parameters)}", language=None, wrap_lines=True)
            if PHOTO not in parameters:
                st.caption("An uploaded photo stays here: the link opens on a photo of the app.")

    def _onward(self) -> None:
        here = LESSONS.index(self.lesson)
        parameters = link_parameters(self.subject, hide=self.hidden)
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            for place, icon in ((here - 1, "arrow_back"), (here + 1, "arrow_forward")):
                if 0 <= place < len(LESSONS):
                    self.lesson_link(LESSONS[place].key, icon=icon, parameters=parameters)

    def lesson_link(
        self, key: str, *, icon: str | None = None, parameters: dict[str, str] | None = None
    ) -> None:
        """Draw a link to another lesson that keeps photo, model and looks."""
        other = lesson(key)
        st.page_link(
            other.path,
            label=f"{other.number}. {other.title}",
            icon=f":material/{icon or other.icon}:",
            query_params=parameters or link_parameters(self.subject, hide=self.hidden),
        )


def _answer(question: Question) -> None:
    try:
        st.markdown(question.answer())
    except CaptioningError as error:
        problem(error)
