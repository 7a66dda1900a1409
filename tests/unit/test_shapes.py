"""The generated set: equal bytes for equal seeds, and captions that are true of the pixels."""

import hashlib
import json
import re
from collections import Counter
from random import Random

import numpy as np
import pytest
from nltk.translate.bleu_score import corpus_bleu
from PIL import Image

from captioning.datasets import generate_shapes, load, verify
from captioning.datasets.shapes.scene import CANVAS, COLORS, KINDS, draw_lots, sentences
from captioning.errors import DatasetError
from captioning.images import read_image
from captioning.text import tokenize

# Of every file that generate_shapes(count=20, seed=7) writes.  It may change only together with
# the format version, because trained models and scores refer to these pictures.
GOLDEN = "cd2ee95265dcbe4364c68014e63b77dff480f3b3b0d59e77168f020ae308a592"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return generate_shapes(tmp_path_factory.mktemp("shapes"), count=300, seed=3)


@pytest.fixture(scope="module")
def figures(shapes):
    """What was drawn, by the photo's name, as the index states it."""
    index = json.loads((shapes.root / "shapes.json").read_text())
    return {photo["name"]: photo["figures"] for photo in index["photos"]}


def digest(root):
    """One SHA-256 over the names and bytes of all files below `root`."""
    total = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def painted(dataset, photo, figure):
    """Where the pixels of a figure's full colour are, as (y, x), message from the picture alone."""
    pixels = np.asarray(read_image(dataset.path(photo)))
    return np.argwhere((pixels == COLORS[figure["color"]]).all(axis=-1))


def test_equal_seeds_give_the_golden_bytes(tmp_path):
    generate_shapes(tmp_path / "a", count=20, seed=7)
    assert digest(tmp_path / "a") == GOLDEN


def test_seeds_differ_and_a_larger_count_keeps_the_first_pictures(tmp_path):
    few = generate_shapes(tmp_path / "few", count=5, seed=7)
    more = generate_shapes(tmp_path / "more", count=15, seed=7)
    other = generate_shapes(tmp_path / "other", count=5, seed=8)
    assert more.photos[:5] == few.photos
    for photo in few.photos:
        assert more.path(photo).read_bytes() == few.path(photo).read_bytes()
    assert other.photos != few.photos


def test_load_knows_the_folder_and_what_is_in_it(shapes):
    for folder in (shapes.root, shapes.folder):
        again = load(folder)
        assert again.photos == shapes.photos
        assert again.name == "shapes"
    assert not shapes.oddities.sentences()
    assert shapes.summary() == (
        "shapes: 300 photos with 1,500 captions (240 train, 30 dev, 30 test)."
    )
    assert verify(shapes).ok


def test_other_decoders_read_the_pictures_too(shapes):
    matplotlib_image = pytest.importorskip("matplotlib.image")
    for photo in shapes.photos[:5]:
        with Image.open(shapes.path(photo)) as picture:
            picture.verify()
        other = (matplotlib_image.imread(shapes.path(photo))[..., :3] * 255).round()
        assert np.array_equal(other, np.asarray(read_image(shapes.path(photo))))


def test_five_different_captions_of_a_learnable_size(shapes):
    for photo in shapes.photos:
        assert len(set(photo.captions)) == 5
        for caption in photo.captions:
            assert 5 <= len(tokenize(caption)) <= 14
            assert re.fullmatch(r"[A-Z][a-z ,]+\.", caption)
    words = Counter(w for p in shapes.photos for c in p.captions for w in tokenize(c))
    assert 35 <= len(words) <= 60
    assert min(words.values()) >= 5


def test_figures_stay_clear_of_the_border_and_of_each_other(shapes, figures):
    for photo in shapes.photos:
        pixels = np.asarray(read_image(shapes.path(photo))).astype(int)
        ground = pixels[0, 0]
        inked = (pixels != ground).any(axis=-1)
        assert not inked[:3].any()
        assert not inked[-3:].any()
        assert not inked[:, :3].any()
        assert not inked[:, -3:].any()
        # Two figures leave an empty line between them, one figure leaves none inside itself.
        gaps = max(empty_runs(inked.any(axis=0)), empty_runs(inked.any(axis=1)))
        assert gaps == len(figures[photo.name]) - 1


def empty_runs(line):
    """How many runs of False lie between runs of True."""
    return len(re.findall("1(?=0+1)", "".join("01"[int(v)] for v in line)))


def test_colours_sizes_and_places_of_the_words_are_those_of_the_pixels(shapes, figures):
    singles = [photo for photo in shapes.photos if len(figures[photo.name]) == 1]
    assert len(singles) > 60
    for photo in singles:
        (figure,) = figures[photo.name]
        spots = painted(shapes, photo, figure)
        (top, left), (bottom, right) = spots.min(axis=0), spots.max(axis=0)
        extent = max(bottom - top, right - left)
        said = " ".join(photo.captions).lower()
        assert f"{figure['color']} {figure['kind']}" in said
        assert bool(re.search("big|large", said)) == (extent > 26)
        assert bool(re.search("small|little", said)) == (extent < 26)
        y, x = (top + bottom) / 2, (left + right) / 2
        assert ("left" in said) == (x < 0.38 * CANVAS)
        assert ("right" in said) == (x > 0.62 * CANVAS)
        assert ("top" in said) == (y < 0.38 * CANVAS)
        assert ("bottom" in said) == (y > 0.62 * CANVAS)
        middle = {"left", "right", "top", "bottom"}.isdisjoint(said.replace(".", "").split())
        assert bool(re.search("in the (middle|center)", said)) == middle


RELATIONS = {
    # Whether (dx, dy) from the figure named first to the one named second fits the words.
    "to the left of": lambda dx, dy: dx > 2 * abs(dy),
    "is left of": lambda dx, dy: dx > 2 * abs(dy),
    "to the right of": lambda dx, dy: -dx > 2 * abs(dy),
    "on the left and": lambda dx, dy: dx > 2 * abs(dy),
    "above": lambda dx, dy: dy > 2 * abs(dx),
    "at the top and": lambda dx, dy: dy > 2 * abs(dx),
    "below": lambda dx, dy: -dy > 2 * abs(dx),
    "under": lambda dx, dy: -dy > 2 * abs(dx),
}


def test_relations_in_the_words_are_those_of_the_pixels(shapes, figures):
    checked = Counter()
    for photo in shapes.photos:
        pair = figures[photo.name]
        if len({figure["color"] for figure in pair}) < 2:
            continue  # the pixels alone cannot tell two figures of one colour apart
        centres = {f["color"]: painted(shapes, photo, f).mean(axis=0) for f in pair}
        for caption in photo.captions:
            first, second = re.findall("|".join(COLORS), caption)
            dy, dx = centres[second] - centres[first]
            for words, fits in RELATIONS.items():
                if words in caption:
                    assert fits(dx, dy), (photo.name, caption)
                    checked[words] += 1
            if "next to" in caption:
                assert abs(dx) > 2 * abs(dy)
    assert set(checked) == set(RELATIONS)


def test_every_kind_colour_and_size_is_shown(shapes, figures):
    everything = [figure for pair in figures.values() for figure in pair]
    assert {figure["kind"] for figure in everything} == set(KINDS)
    assert {figure["color"] for figure in everything} == set(COLORS)
    assert {figure["size"] for figure in everything} == {"small", "big"}
    for pair in figures.values():
        assert len({(figure["kind"], figure["color"]) for figure in pair}) == len(pair)


def test_who_sees_right_scores_high_and_who_guesses_does_not():
    """A model that names the scene in the plainest words must be able to do well."""
    scenes = [draw_lots(Random(f"a scene to score/{n}")) for n in range(200)]
    references = [[tokenize(s) for s in sentences(scene)[1:6]] for scene in scenes]
    seeing = [tokenize(sentences(scene)[-1]) for scene in scenes]
    guessing = seeing[1:] + seeing[:1]
    assert corpus_bleu(references, seeing) > 0.6
    assert corpus_bleu(references, guessing) < 0.35


def test_generating_again_replaces_shapes_but_nothing_else(tmp_path):
    folder = tmp_path / "new" / "shapes"
    generate_shapes(folder, count=12, seed=1)
    fewer = generate_shapes(folder, count=4, seed=1)
    assert len(list(fewer.folder.iterdir())) == len(fewer) == 4
    album = tmp_path / "album"
    (album / "Images").mkdir(parents=True)
    (album / "Images" / "holiday.jpg").write_bytes(b"precious")
    for taken in (album, tmp_path):
        with pytest.raises(DatasetError, match="contains other files"):
            generate_shapes(taken, count=1, seed=1)
    assert (album / "Images" / "holiday.jpg").read_bytes() == b"precious"
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="cannot be written"):
        generate_shapes(tmp_path / "file", count=1, seed=1)


def test_interrupted_generation_is_no_data_set_and_can_be_repeated(tmp_path):
    generate_shapes(tmp_path, count=3, seed=1)
    (tmp_path / "shapes.json").rename(tmp_path / "shapes.json.part")
    with pytest.raises(DatasetError, match="not a data set"):
        load(tmp_path)
    assert len(generate_shapes(tmp_path, count=3, seed=1)) == 3


@pytest.mark.parametrize(("count", "seed"), [(0, 1), (-1, 1), (100_001, 1), (1, -1)])
def test_numbers_out_of_range_are_refused(tmp_path, count, seed):
    with pytest.raises(DatasetError, match="out of range"):
        generate_shapes(tmp_path / "x", count=count, seed=seed)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\xff",
        '{"format_version": 1}',
        '{"format_version": 1, "photos": 3}',
        '{"format_version": 1, "photos": [{"name": "a.png"}]}',
        '{"format_version": 1, "photos": [{"name": [], "captions": [], "split": "x"}]}',
        '{"format_version": 1, "photos": [{"name": 1, "captions": ["a"], "split": {}}]}',
        '{"format_version": 2, "photos": []}',
        "[" * 100_000,
    ],
)
def test_damaged_index_gives_a_sentence(tmp_path, text):
    generate_shapes(tmp_path, count=1, seed=1)
    (tmp_path / "shapes.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match="Generate the shapes again"):
        load(tmp_path)


def test_missing_photo_is_an_oddity(tmp_path):
    dataset = generate_shapes(tmp_path, count=3, seed=1)
    dataset.path(dataset.photos[1]).unlink()
    again = load(tmp_path)
    assert len(again) == 2
    assert again.oddities.captions_without_photo.count == 5
