"""Random documents, charts, drawings, blank images and noise."""

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from captioning.calibration.picture_kind import Kind

SIZES = ((800, 600), (600, 800), (700, 990), (640, 640), (400, 300), (1280, 720))
PAPER = ("#ffffff", "#ffffff", "#fdfdfb", "#f7f3e8", "#eef1f5", "#1b1b1f", "#22303c")
INK = ("#1f3b73", "#a33b20", "#2d7a46", "#7a2d78", "#333333", "#c28a12", "#e4572e", "#29b6c9")
STYLES = (
    "default",
    "ggplot",
    "bmh",
    "dark_background",
    "fivethirtyeight",
    "seaborn-v0_8-whitegrid",
)
WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this which "
    "Report Total Summary 2024 page figure model photo results invoice number date amount price"
).split()
Random = np.random.Generator


def draw_pictures(counts: dict[Kind, int], *, seed: int) -> Iterator[tuple[Kind, Image.Image]]:
    """Draw the requested number of pictures of each kind; yield each with its kind."""
    for kind, count in counts.items():
        draw = _DRAW[kind]
        for number in range(count):
            random = np.random.default_rng((seed, list(_DRAW).index(kind), number))
            yield kind, resaved(draw(random), random)


def resaved(picture: Image.Image, random: Random) -> Image.Image:
    """Return the picture unchanged or after JPEG compression, sometimes smaller."""
    way = random.random()
    if way < 0.35:
        return picture
    if way < 0.6:
        side = int(random.integers(224, 700))
        picture = picture.resize((side, side * picture.height // picture.width or 1))
    elif way < 0.75:
        picture = picture.resize((224, 224))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(random.integers(50, 96)))
    return Image.open(file).convert("RGB")


def _document(random: Random) -> Image.Image:
    """Draw a page of text in columns, with or without headings and a table, or its scan."""
    size = SIZES[int(random.integers(len(SIZES)))]
    paper = str(random.choice(PAPER))
    ink = (
        "#dddddd" if paper in PAPER[-2:] else str(random.choice(["#000000", "#222222", "#444444"]))
    )
    page = Image.new("RGB", size, paper)
    pen, font_size = ImageDraw.Draw(page), int(random.integers(10, 34))
    margin, columns = int(size[0] * random.uniform(0.03, 0.12)), int(random.integers(1, 4))
    width, top = (size[0] - 2 * margin) // columns, margin
    if random.random() < 0.6:
        heading = " ".join(random.choice(WORDS, 3))
        pen.text((margin, top), heading, fill=ink, font=ImageFont.load_default(font_size * 2))
        top += font_size * 3
    end = size[1] - margin if random.random() < 0.7 else int(size[1] * random.uniform(0.3, 0.8))
    lines = random.random() < 0.25
    for column in range(columns):
        _lines(random, pen, (margin + column * width, top, width, end), font_size, ink, lines)
    return _scanned(page, random) if random.random() < 0.25 else page


def _lines(
    random: Random,
    pen: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    size: int,
    ink: str,
    ruled: bool,
) -> None:
    left, top, width, end = box
    font = ImageFont.load_default(size)
    for y in range(top, end - size, round(size * random.uniform(1.25, 2))):
        share = 0.93 if random.random() < 0.8 else random.uniform(0.05, 0.9)
        words = " ".join(random.choice(WORDS, max(1, int(width * share / size / 2.4))))
        pen.text((left, y), words, fill=ink, font=font)
        if ruled:
            pen.line([(left, y - 2), (left + width, y - 2)], fill=ink)


def _scanned(page: Image.Image, random: Random) -> Image.Image:
    turned = page.rotate(
        random.uniform(-2, 2), fillcolor=page.getpixel((0, 0)), resample=Image.Resampling.BICUBIC
    )
    noisy = np.asarray(turned, np.float32) + random.normal(
        0, random.uniform(1, 4), (*turned.size[::-1], 1)
    )
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _chart(random: Random) -> Image.Image:
    """Draw a chart: bars, lines, points, a pie, a histogram, areas or a heat map."""
    import matplotlib.style  # takes a second
    from matplotlib.figure import Figure

    sort = str(random.choice(["bar", "barh", "line", "scatter", "pie", "hist", "area", "heat"]))
    with matplotlib.style.context(str(random.choice(STYLES))):
        figure = Figure(figsize=(random.uniform(4, 10), random.uniform(3, 7)), dpi=100)
        axes = figure.add_subplot()
        count = int(random.integers(3, 14))
        names, values = (
            [str(random.choice(WORDS)) + str(n) for n in range(count)],
            random.random(count),
        )
        many = random.normal(0, 1, (int(random.integers(1, 4)), 60)).cumsum(axis=1)
        if sort in ("bar", "barh"):
            getattr(axes, sort)(names, values, color=random.choice(INK, count))
        elif sort == "line":
            axes.plot(many.T, linewidth=random.uniform(1, 4))
        elif sort == "scatter":
            x, y = random.normal(0, 1, (2, int(random.integers(20, 400))))
            axes.scatter(x, y, s=20)
        elif sort == "pie":
            axes.pie(values + 0.1, labels=names)
        elif sort == "hist":
            axes.hist(random.normal(0, 1, 500), bins=int(random.integers(8, 40)))
        elif sort == "area":
            axes.stackplot(range(60), abs(many))
        else:
            axes.imshow(
                random.random((count, count)), cmap=str(random.choice(["viridis", "Blues", "RdBu"]))
            )
        axes.grid(bool(random.random() < 0.4) and sort != "heat")
        axes.set_title(" ".join(random.choice(WORDS, 4)))
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")


def _drawing(random: Random) -> Image.Image:
    """Draw outlines, filled shapes or scribbles on paper."""
    size = SIZES[int(random.integers(len(SIZES)))]
    picture = Image.new(
        "RGB", size, str(random.choice([*PAPER[:5], "#9fd3f0", "#ffe9a8", "#cfe8c3"]))
    )
    pen, filled = ImageDraw.Draw(picture), random.random() < 0.5
    if random.random() < 0.5:
        ground = int(size[1] * random.uniform(0.6, 0.9))
        pen.rectangle(
            [0, ground, *size],
            fill=str(random.choice(INK)) if filled else None,
            outline="#2d7a46",
            width=4,
        )
    for _ in range(int(random.integers(3, 20))):
        ink, line = str(random.choice(INK)), int(random.integers(2, 9))
        corner = random.random(2) * size * np.array([0.9, 0.9])
        box = [*corner, *(corner + random.uniform(0.05, 0.4, 2) * min(size))]
        fill = ink if filled and random.random() < 0.8 else None
        shape = int(random.integers(4))
        if shape == 0:
            pen.ellipse(box, outline="#222222" if fill else ink, width=line, fill=fill)
        elif shape == 1:
            pen.rectangle(box, outline="#222222" if fill else ink, width=line, fill=fill)
        elif shape == 2:
            points = corner + random.random((int(random.integers(3, 7)), 2)) * min(size) * 0.35
            pen.polygon([tuple(p) for p in points], outline=ink, fill=fill, width=line)
        else:
            walk = corner + random.normal(0, 25, (int(random.integers(3, 40)), 2)).cumsum(axis=0)
            pen.line([tuple(p) for p in walk], fill=ink, width=line, joint="curve")
    return picture


def _blank(random: Random) -> Image.Image:
    """Draw one colour, black, or a gradient, sometimes with the faint grain of a sensor."""
    width, height = SIZES[int(random.integers(len(SIZES)))]
    first = random.integers(0, 256, 3).astype(np.float32)
    way = random.random()
    if way < 0.25:
        first = np.full(3, float(random.choice([0, 1, 3, 255, 250])), np.float32)
    last = random.integers(0, 256, 3).astype(np.float32) if way > 0.6 else first
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:1:96j, 0:1:96j]
    along = np.cos(angle) * (columns - 0.5) + np.sin(angle) * (rows - 0.5)
    if random.random() < 0.3:
        along = np.hypot(columns - random.random(), rows - random.random())
    share = np.ptp(along) and (along - along.min()) / np.ptp(along)
    colours = first + (last - first) * share[..., None]
    smooth = Image.fromarray(colours.astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    if random.random() < 0.75:
        return smooth
    grain = random.normal(0, random.uniform(0.5, 3), (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(smooth) + grain, 0, 255).astype(np.uint8))


def _noise(random: Random) -> Image.Image:
    """Draw noise: uniform or normal, of any grain, in colour or grey, or salt and pepper."""
    width, height = SIZES[int(random.integers(len(SIZES)))]
    grain = int(random.choice([1, 2, 4, 8]))
    shape = (height // grain, width // grain, int(random.choice([1, 3])))
    way = int(random.integers(3))
    if way == 0:
        values: np.ndarray = random.integers(0, 256, shape).astype(np.float64)
    elif way == 1:
        values = random.normal(128, random.uniform(35, 90), shape)
    else:
        values = 255.0 * (random.random(shape) < random.uniform(0.2, 0.8))
    pixels = np.broadcast_to(np.clip(values, 0, 255), (*shape[:2], 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)


_DRAW: dict[Kind, Callable[[Random], Image.Image]] = {
    "document": _document,
    "chart": _chart,
    "drawing": _drawing,
    "blank": _blank,
    "noise": _noise,
}
