"""Make coco_scores.json: invented captions with the figures pycocoevalcap gives them.

    pip install --no-deps pycocoevalcap numpy
    python tests/golden/make_coco_scores.py

Run it only to change the sentences: the figures are pycocoevalcap's own, so they are the thing to
compare with and not to refresh.  Only its parts in pure Python are used (no Java).
"""

import json
import random
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

GOLDEN = Path(__file__).with_name("coco_scores.json")

ANIMALS = ["goat", "otter", "parrot", "llama", "pony", "hen", "hedgehog", "seal"]
PEOPLE = ["baker", "juggler", "sailor", "nurse", "painter", "drummer", "clown", "farmer"]
LOOKS = ["tall", "tiny", "striped", "green", "purple", "sleepy", "old", "shiny"]
DEEDS = ["paints", "carries", "follows", "feeds", "lifts", "watches", "chases", "sketches"]
PLACES = [
    "beside a windmill",
    "under the bridge",
    "in a crowded tram",
    "on top of 2 crates",
    "near the lighthouse at noon",
    "inside a greenhouse",
    "behind the orange tent",
]


def caption(scene: dict[str, str], rng: random.Random) -> str:
    """Word one scene in one of several ways, leaving out what a person might leave out."""
    who = rng.choice([f"a {scene['look']} {scene['who']}", f"the {scene['who']}", "someone"])
    what = rng.choice([f"a {scene['what']}", f"the {scene['look']} {scene['what']}", "an animal"])
    sentence = rng.choice(
        [
            f"{who} {scene['deed']} {what} {scene['where']}",
            f"{scene['where']} {who} {scene['deed']} {what}",
            f"{who} and {what} are {scene['where']}",
            f"{what} {scene['where']} with {who}",
            f"there is {who} who {scene['deed']} {what}",
        ]
    )
    return f"{sentence} {rng.choice(['', '', 'today', 'on a sunny day'])}".strip()


def scene(rng: random.Random) -> dict[str, str]:
    """Draw what there is to tell about one image."""
    return {
        "who": rng.choice(PEOPLE),
        "what": rng.choice(ANIMALS),
        "look": rng.choice(LOOKS),
        "deed": rng.choice(DEEDS),
        "where": rng.choice(PLACES),
    }


def spoiled(sentence: str, rng: random.Random) -> str:
    """Do to a caption what an untrained model does: loop, swap, drop and break off."""
    words = sentence.split()
    match rng.randrange(6):
        case 0:
            start = rng.randrange(len(words) - 2)
            words[start:start] = words[start : start + 2] * rng.randrange(1, 4)
        case 1:
            here, there = rng.sample(range(len(words)), 2)
            words[here], words[there] = words[there], words[here]
        case 2:
            words = words[: max(4, len(words) - 3)]
        case 3:
            words = [word for word in words if word not in {"a", "the"}] + ["the", "end"]
        case _:
            pass
    return " ".join(words)


def ordinary_images(count: int, seed: int) -> list[dict]:
    """Five references each, and hypotheses of at least four words."""
    rng = random.Random(seed)
    images = []
    for _ in range(count):
        true_scene = scene(rng)
        seen = true_scene if rng.random() < 0.8 else scene(rng)
        images.append(
            {
                "hypothesis": spoiled(caption(seen, rng), rng),
                "references": [caption(true_scene, rng) for _ in range(5)],
            }
        )
    return images


def odd_images(count: int, seed: int) -> list[dict]:
    """One to seven references and a word or nothing, hypotheses empty, short, copied, babbling."""
    rng = random.Random(seed)
    images = []
    for number in range(count):
        true_scene = scene(rng)
        references = [caption(true_scene, rng) for _ in range(rng.randrange(1, 8))]
        hypotheses = [
            " ".join(references[0].split()[: number % 4]),
            references[-1],
            "the " * rng.randrange(1, 30),
            true_scene["what"],
            f"{caption(scene(rng), rng)} " * 3,
        ]
        references.append("" if number % 7 == 3 else true_scene["who"])
        images.append({"hypothesis": hypotheses[number % 5].strip(), "references": references})
    return images


def made_up() -> dict[str, list[dict]]:
    """Return the two corpora without figures."""
    return {"ordinary": ordinary_images(240, seed=8), "odd": odd_images(60, seed=9)}


def scored(images: list[dict]) -> dict:
    """Add pycocoevalcap's figures, on its own scales, for each image and for the corpus."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    references = {i: image["references"] for i, image in enumerate(images)}
    hypotheses = {i: [image["hypothesis"]] for i, image in enumerate(images)}
    bleu, bleu_each = Bleu(4).compute_score(references, hypotheses, verbose=0)
    rouge, rouge_each = Rouge().compute_score(references, hypotheses)
    cider, cider_each = Cider().compute_score(references, hypotheses)
    figures = zip(zip(*bleu_each, strict=True), rouge_each, cider_each, strict=True)
    return {
        "corpus": named(bleu, rouge, cider),
        "images": [image | named(*row) for image, row in zip(images, figures, strict=True)],
    }


def named(bleu: Sequence[float], rouge: float, cider: float) -> dict:
    """Return the figures of one image or corpus with as many digits as the tests look at."""
    return {
        "bleu": [round(value, 9) for value in bleu],
        "rouge_l": round(float(rouge), 9),
        "cider": round(float(cider), 9),
    }


def main() -> None:
    """Write the golden file, one line an image."""
    document = {"pycocoevalcap": version("pycocoevalcap")}
    document |= {name: scored(images) for name, images in made_up().items()}
    text = json.dumps(document, ensure_ascii=True)
    GOLDEN.write_text(text.replace('{"hypothesis"', '\n{"hypothesis"') + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
