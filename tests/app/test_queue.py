"""Eight sessions at once: the same sentences as one, and everybody sees their place in line."""

import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from captioning.bundle import read_bundle
from captioning.captioner import Captioner
from captioning.datasets import generate_shapes
from captioning.images import read_image
from pages.ui import cache
from pages.ui.cache import Memory, place_in_line

ROOT = Path(__file__).parents[2]
SESSIONS = 8


@pytest.fixture(scope="module")
def shapes_model():
    return Captioner.load(ROOT / "models" / "shapes")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    dataset = generate_shapes(tmp_path_factory.mktemp("eight") / "shapes", count=8, seed=11)
    return [read_image(dataset.path(photo)) for photo in dataset.photos]


def at_once(work, count=SESSIONS):
    """Do `work(number)` in so many threads; returns the results in their order."""
    results = [None] * count

    def run(number):
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    return results, threads


def join(threads):
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()


def all_in_line(turns, count):
    while turns.length < count:
        threading.Event().wait(0.005)


def test_eight_captions_at_once_equal_those_of_one_and_each_shows_its_place(shapes_model, pictures):
    alone = [shapes_model.caption(picture).text for picture in pictures]
    assert len(set(alone)) > 3
    places_seen = [[] for _ in range(SESSIONS)]
    with shapes_model.turns.take():
        results, threads = at_once(
            lambda n: shapes_model.caption(pictures[n], on_wait=places_seen[n].append).text
        )
        all_in_line(shapes_model.turns, SESSIONS + 1)
    join(threads)
    assert results == alone
    # Each stood somewhere else at first, and came forward one place after the other.
    assert sorted(places[0] for places in places_seen) == list(range(1, SESSIONS + 1))
    for places in places_seen:
        assert places == sorted(places, reverse=True)
        assert places[-1] == 1 or places[0] == 1


def test_eight_sessions_of_the_page_see_their_place(home, pictures, monkeypatch, write_tiny_bundle):
    """Eight sessions of the Caption page, each with its own photo, all waiting for one model."""
    import io

    write_tiny_bundle(home / "models" / "tiny")
    seen = {}

    def noted(before):
        seen.setdefault(threading.get_ident(), []).append(before)
        return place_in_line(before)

    monkeypatch.setattr(cache, "place_in_line", noted)
    files = []
    for picture in pictures:
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        files.append(buffer.getvalue())
    bundle = read_bundle("tiny")
    model = cache.captioner(bundle)
    alone = [model.caption(picture).text for picture in pictures]
    with model.turns.take():
        results, threads = at_once(
            lambda n: cache.caption(bundle, files[n], f"{n}.png", bundle.decoding).text
        )
        all_in_line(model.turns, SESSIONS + 1)
    join(threads)
    assert results == alone
    assert sorted(places[0] for places in seen.values()) == list(range(1, SESSIONS + 1))


def test_who_waits_reads_it_on_the_page_and_then_the_sentence(
    home, write_tiny_bundle, jpeg, monkeypatch
):
    write_tiny_bundle(home / "models" / "tiny")
    model = cache.captioner(read_bundle("tiny"))
    served, read = threading.Event(), []

    def served_first():
        with model.turns.take():
            served.wait(60)

    def noted(before):
        read.append(before)
        served.set()
        return place_in_line(before)

    monkeypatch.setattr(cache, "place_in_line", noted)
    other = threading.Thread(target=served_first)
    other.start()
    all_in_line(model.turns, 1)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["caption.model"] = "tiny"
    app.switch_page("pages/caption/caption.py").run()
    app.file_uploader(key="caption.upload").upload("dog.jpg", jpeg("red"))
    app.run()
    join([other])
    assert read == [1]
    assert not app.exception
    assert app.title[0].value
    assert not any("in line" in caption.value for caption in app.caption)


def test_the_same_photo_asked_for_by_all_is_looked_at_once(home, write_tiny_bundle, jpeg):
    write_tiny_bundle(home / "models" / "tiny")
    bundle = read_bundle("tiny")
    model, looked = cache.captioner(bundle), []
    encode = model.encode
    model.encode = lambda photos, **more: looked.append(1) or encode(photos, **more)
    with model.turns.take():
        results, threads = at_once(
            lambda n: cache.caption(bundle, jpeg("red"), "a", bundle.decoding).text
        )
        all_in_line(model.turns, SESSIONS + 1)
    join(threads)
    assert len(set(results)) == 1
    assert looked == [1]


def test_a_memory_forgets_what_was_longest_unused():
    memory = Memory(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert [memory.get(key) for key in "abc"] == [1, None, 3]


def test_places_are_written_in_words():
    assert [place_in_line(n).split(" in line")[0] for n in (1, 2, 7, 30)] == [
        "You are second", "You are third", "You are eighth", "You are number 31",
    ]  # fmt: skip
