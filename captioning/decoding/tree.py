"""The tree of a beam search, with kept, dropped and finished words, and the best sentence."""

from dataclasses import dataclass

import numpy as np

from captioning.decoding.hypotheses import NEG_INF, Trace, ends, follow_back, read_hypotheses
from captioning.vocabulary import EOS

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
