"""The trace of a search, and what is read from it: hypotheses, and the tree of a beam search."""

from dataclasses import dataclass

import numpy as np

from captioning.vocabulary import EOS

NEG_INF = -1e9
"""Score of an unused beam: finite, so that sums never become NaN."""


@dataclass(frozen=True)
class Hypothesis:
    """One sentence, as ids, with the probabilities of its words.

    Attributes:
        ids: the words, without BOS and EOS.
        log_probs: natural logarithm of each word's probability, given the photo and the words
            before it, with special tokens excluded.
        end_log_prob: the same for the end; None if the sentence was cut at the maximum length.
    """

    ids: tuple[int, ...]
    log_probs: tuple[float, ...]
    end_log_prob: float | None

    @property
    def log_prob(self) -> float:
        """Natural logarithm of the product of the words' probabilities."""
        return float(sum(self.log_probs))

    def score(self, length_penalty: float) -> float:
        """Return the ranking score: log-probability, including the end, over length**penalty.

        Reference:
            Wu et al., "Google's Neural Machine Translation System", 2016, section 7, without its
            constants. https://arxiv.org/abs/1609.08144
        """
        total = self.log_prob + (self.end_log_prob or 0.0)
        decisions = len(self.ids) + (self.end_log_prob is not None)
        return float(total / max(decisions, 1) ** length_penalty)


@dataclass(frozen=True)
class Trace:
    """All beams that a search kept, step by step.

    Attributes:
        tokens: int32 `(T, B, K)`, the word of beam k at step t.
        parents: int32 `(T, B, K)`, the beam of the previous step that it continued.
        scores: float32 `(T, B, K)`, summed log-probability; at most `NEG_INF / 2` where unused.
        near_tokens: int32 `(T, B, 2K)`, the most likely words, kept or not (beam search only).
        near_parents: int32 `(T, B, 2K)`, the beam of the previous step of each of them.
        near_scores: float32 `(T, B, 2K)`, of those that were not kept; at most `NEG_INF / 2` for
            the others.
        strangeness: float32 `(B,)`, out-of-distribution score of each photo, if known.
        scene: float32 `(B, S)`, what each photo shows, in a few numbers, if known.
    """

    tokens: np.ndarray
    parents: np.ndarray
    scores: np.ndarray
    near_tokens: np.ndarray | None = None
    near_parents: np.ndarray | None = None
    near_scores: np.ndarray | None = None
    strangeness: np.ndarray | None = None
    scene: np.ndarray | None = None


def read_hypotheses(trace: Trace, *, length_penalty: float) -> list[list[Hypothesis]]:
    """Follow every finished beam back to its beginning.

    Re-ranking with another `length_penalty` needs no model: the beams are the same.

    Returns:
        The hypotheses of each photo, best first.
    """
    photos = trace.tokens.shape[1]
    found = [
        [follow_back(trace, photo, step, beam) for step, beam in ends(trace, photo)]
        for photo in range(photos)
    ]
    return [
        sorted(hypotheses, key=lambda h: h.score(length_penalty), reverse=True)
        for hypotheses in found
    ]


def ends(trace: Trace, photo: int) -> list[tuple[int, int]]:
    """Return step and beam of the last word of each finished sentence."""
    alive = trace.scores[:, photo] > NEG_INF / 2
    ended = alive & (trace.tokens[:, photo] == EOS)
    ended[-1] |= alive[-1]  # cut at the maximum length
    return [(int(step), int(beam)) for step, beam in np.argwhere(ended)]


def follow_back(trace: Trace, photo: int, step: int, beam: int) -> Hypothesis:
    """Read the sentence that ends in `beam` at `step`."""
    ids: list[int] = []
    totals: list[float] = []
    for t in range(step, -1, -1):
        ids.append(int(trace.tokens[t, photo, beam]))
        totals.append(float(trace.scores[t, photo, beam]))
        beam = int(trace.parents[t, photo, beam])
    ids.reverse()
    log_probs = np.diff(totals[::-1], prepend=0.0).tolist()
    if ids[-1] == EOS:
        return Hypothesis(tuple(ids[:-1]), tuple(log_probs[:-1]), log_probs[-1])
    return Hypothesis(tuple(ids), tuple(log_probs), None)


BEST, ENDED, KEPT, CUT = "best", "ended", "kept", "cut"
"""A node's fate: part of the best sentence; end of another sentence; kept for the next step; not
kept."""


@dataclass(frozen=True)
class Node:
    """One word that the search considered.

    Attributes:
        step: number of words before it.
        token: its id; EOS at the end of a sentence.
        log_prob: natural logarithm of its probability, given the words before it.
        total: the sum of these from the beginning.
        parent: index of the previous word in the list of nodes; None for a first word.
        fate: one of `BEST`, `ENDED`, `KEPT`, `CUT`.
    """

    step: int
    token: int
    log_prob: float
    total: float
    parent: int | None
    fate: str


def read_tree(trace: Trace, *, length_penalty: float, photo: int = 0, cut: int = 2) -> list[Node]:
    """Build the tree of one photo's search.

    Args:
        trace: of a beam search.
        length_penalty: determines the best sentence.
        photo: index in the batch.
        cut: maximum number of dropped words per step, the most likely ones.

    Returns:
        Nodes step by step, parents before children; kept nodes are sorted by probability.
    """
    best = _way_to_best(trace, photo, length_penalty)
    nodes: list[Node] = []
    places: dict[int, int] = {}  # node of each beam of the previous step
    for step in range(len(trace.tokens)):
        alive = np.flatnonzero(trace.scores[step, photo] > NEG_INF / 2)
        if not len(alive):
            break
        order = alive[np.argsort(-trace.scores[step, photo, alive], kind="stable")]
        here = {}
        for beam in map(int, order):
            here[beam] = len(nodes)
            token = int(trace.tokens[step, photo, beam])
            fate = BEST if (step, beam) in best else ENDED if token == EOS else KEPT
            parent, total = trace.parents[step, photo, beam], trace.scores[step, photo, beam]
            nodes.append(_node(nodes, places, step, token, parent, total, fate))
        nodes += _not_kept(trace, photo, step, places, nodes, cut)
        places = here
    return nodes


def _way_to_best(trace: Trace, photo: int, length_penalty: float) -> set[tuple[int, int]]:
    """Return step and beam of every word of the best sentence."""
    ranked = read_hypotheses(trace, length_penalty=length_penalty)[photo]
    for step, beam in ends(trace, photo):
        if ranked and follow_back(trace, photo, step, beam) == ranked[0]:
            way = set()
            for t in range(step, -1, -1):
                way.add((t, beam))
                beam = int(trace.parents[t, photo, beam])
            return way
    return set()


def _not_kept(
    trace: Trace, photo: int, step: int, places: dict[int, int], nodes: list[Node], cut: int
) -> list[Node]:
    if trace.near_scores is None or trace.near_tokens is None or trace.near_parents is None:
        return []
    scores = trace.near_scores[step, photo]
    missed = [int(i) for i in np.argsort(-scores, kind="stable")[:cut] if scores[i] > NEG_INF / 2]
    tokens, parents = trace.near_tokens[step, photo], trace.near_parents[step, photo]
    return [_node(nodes, places, step, int(tokens[i]), parents[i], scores[i], CUT) for i in missed]


def _node(
    nodes: list[Node],
    places: dict[int, int],
    step: int,
    token: int,
    parent: np.integer,
    total: np.floating,
    fate: str,
) -> Node:
    before = places[int(parent)] if step else None
    log_prob = float(total) - (0.0 if before is None else nodes[before].total)
    return Node(step, token, log_prob, float(total), before, fate)
