"""The class game in the app: a teacher opens a round, players write, vote and see the results."""

import pytest

from captioning.play import Rounds


@pytest.fixture
def round_(home):
    return Rounds(home).create(b"", [("person", "a person", "red"), ("model", "tiny", "a red a")])


@pytest.fixture
def photo(monkeypatch, jpeg):
    monkeypatch.setattr("captioning.play.rounds.Round.photo", jpeg("red"))


def shown(app):
    kinds = (app.header, app.subheader, app.markdown, app.caption, app.success, app.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def test_a_teacher_opens_a_round_on_a_photo(open_page, model, home):
    app = open_page("play", **{"play.sample": "dogs"})
    app.button(key="play.open").click().run()
    assert not app.exception and not app.error
    (folder,) = (home / "play").iterdir()
    kinds = [entry.kind for entry in Rounds(home).get(folder.name).state().entries.values()]
    assert kinds == ["person", "model"]
    assert f"play.round={folder.name}" in app.code[0].value
    assert "play.teacher" not in app.code[0].value


def test_a_round_from_the_first_caption_to_the_table(open_page, round_, photo):
    app = open_page("play", **{"play.round": round_.name, "play.me": "ada"})
    app.text_input(key="play.name").input("Ada")
    app.text_input(key="play.text").input("a red square")
    app.button(key="play.send").click().run()
    assert "Your caption: a red square" in shown(app)

    lead = open_page("play", **{"play.round": round_.name, "play.teacher": round_.teacher})
    assert "Ada" in shown(lead)
    lead.button(key="play.next").click().run()
    assert round_.state().phase == "vote"

    app = open_page("play", **{"play.round": round_.name, "play.me": "ada"})  # a reload
    choices = [button for button in app.button if button.key.startswith("play.vote.")]
    assert {choice.label for choice in choices} == {"red", "a red a"}  # never one's own
    choices[0].click().run()
    for _ in range(2):
        assert "A person or a machine?" in shown(app)
        [b for b in app.button if b.key.startswith("play.guess.") and b.key.endswith("True")][
            0
        ].click().run()
    assert "You have finished" in shown(app)

    lead.run()
    assert not lead.expander  # nothing was rated yet
    lead.button(key="play.next").click().run()
    app.run()
    assert "The code that just ran: rate" in [each.label for each in lead.expander]
    for page in (app, lead):
        assert not page.exception
        assert page.metric[-1].value == "0%"  # the model was taken for a machine
        assert list(page.table[0].value["author"])
    assert any("(you)" in name.replace("\\", "") for name in app.table[0].value["author"])


def test_a_refused_caption_says_why_until_the_next_one(open_page, round_, photo):
    round_.write("bo", "Ada", "red")
    app = open_page("play", **{"play.round": round_.name, "play.me": "ada"})
    app.text_input(key="play.name").input("Ada")
    app.text_input(key="play.text").input("a red square")
    app.button(key="play.send").click().run()
    app.run()  # as the timer does
    assert "already called Ada" in app.error[0].value
    app.text_input(key="play.name").input("Cy")
    app.button(key="play.send").click().run()
    assert not app.error and "Your caption: a red square" in shown(app)


def test_the_pair_to_compare_stays_while_others_vote(open_page, round_, photo):
    for number in range(6):
        round_.write(f"player{number}", f"Player {number}", f"{number} squares")
    round_.move_to("vote", round_.teacher)

    def choices(app):
        return [button.label for button in app.button if button.key.startswith("play.vote.")]

    app = open_page("play", **{"play.round": round_.name, "play.me": "ada"})
    before = choices(app)
    first = [e.id for e in round_.state().entries.values() if e.text in before]
    round_.vote("bo", *first)  # so another pair now has fewer votes
    app.run()
    assert choices(app) == before


def test_a_player_cannot_lead_and_a_wrong_link_says_so(open_page, round_, photo):
    app = open_page("play", **{"play.round": round_.name, "play.teacher": "guessed"})
    assert "Only the teacher" in app.error[0].value.replace("\\", "")
    assert not [button for button in app.button if button.key == "play.next"]
    app = open_page("play", **{"play.round": "../models"})
    assert "no such round" in app.error[0].value.replace("\\", "")
