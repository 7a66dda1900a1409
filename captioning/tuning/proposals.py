"""What to try next, which trials to give up, and which fields mattered.

Proposals come from Optuna's tree-structured Parzen estimator, which looks for values that are more
likely among the good trials than among the others (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", NIPS 2011).  It gets all trials each time, and its draws are seeded by the trial's
number, so the same trials lead to the same proposal in any process, after any kill.
"""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from captioning.errors import ConfigError
from captioning.tuning.record import Study, Trial
from captioning.tuning.settings import SearchField

if TYPE_CHECKING:
    import optuna

AT_RANDOM = 4
"""Number of first trials that are drawn at random, since there is nothing to learn from."""

ENOUGH_TO_GIVE_UP = 3
"""Finished trials before one may be given up for being worse than their median."""

ENOUGH_TO_WEIGH = 10
"""Finished trials before importances are shown: with fewer, chance decides."""

ATTEMPTS, CHANCES = 40, 400
"""Draws before values are drawn at random instead, and before the search gives up."""


def propose(study: Study) -> dict[str, Any]:
    """Return values for the next trial that are new and do not contradict each other.

    The first trial has the values of the base configuration, as a baseline for all others.

    Raises:
        ConfigError: many draws gave no values that are new and accepted.
    """
    own = study.config.own_settings()
    if not study.trials and own is not None:
        return own
    tried = [trial.settings for trial in study.trials]
    refused = ""
    for attempt in range(CHANCES):
        settings = _draw(study, attempt)
        if settings in tried:
            continue
        try:
            study.config.trial_config(len(tried) + 1, settings)
        except ConfigError as error:
            refused = f" The last one was refused: {error}"
            continue
        return settings
    raise ConfigError(f"{CHANCES} draws gave no values that are new.{refused}")


def worse_than_median(scores: Sequence[float], finished: Sequence[Trial]) -> float | None:
    """Return the median that a trial is below, if it is: the median stopping rule.

    The trial's best score so far is compared with the scores of the finished trials after the same
    number of epochs (Golovin et al., "Google Vizier", KDD 2017).

    Args:
        scores: of the trial, after each of its epochs so far.
        finished: trials that have finished.

    Returns:
        The median; None if the trial should go on.
    """
    epochs = len(scores)
    others = [trial.scores[epochs - 1] for trial in finished if len(trial.scores) >= epochs]
    if not scores or len(finished) < ENOUGH_TO_GIVE_UP or not others:
        return None
    median = statistics.median(others)
    return median if max(scores) < median else None


def importances(study: Study) -> dict[str, float] | None:
    """Return the importance of each field, as shares of 1; None if there are too few trials.

    PED-ANOVA compares the distribution of a field among the best trials with that among all
    (Watanabe, Bansal and Hutter, IJCAI 2023, https://arxiv.org/abs/2304.10255).
    """
    if len(study.finished) < ENOUGH_TO_WEIGH or len(study.config.search_fields) < 2:
        return None
    import optuna

    known = _known_to_optuna(study, seed=0)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(known, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def _draw(study: Study, attempt: int) -> dict[str, Any]:
    number = len(study.trials) + 1
    seed = study.config.seed + 1000 * number + attempt
    known = _known_to_optuna(study, seed, at_random=attempt >= ATTEMPTS)
    return dict(known.ask(_distributions(study.config.search_fields)).params)


def _known_to_optuna(study: Study, seed: int, *, at_random: bool = False) -> "optuna.Study":
    """Make an Optuna study, in memory, of all trials that have ended.

    A trial that was given up or has failed counts as one of the worst.  Draws at random
    need no trials.
    """
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    first = len(study.trials) + 1 if at_random else AT_RANDOM
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=first)
    known = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = _distributions(study.config.search_fields)
    for trial in () if at_random else study.trials:
        if trial.ended:
            complete = trial.state == "finished" and trial.score is not None
            known.add_trial(
                create_trial(
                    state=TrialState.COMPLETE if complete else TrialState.PRUNED,
                    value=trial.score if complete else None,
                    params=trial.settings,
                    distributions=distributions,
                    intermediate_values=dict(enumerate(trial.scores)),
                )
            )
    return known


def _distributions(
    fields: Sequence[SearchField],
) -> "dict[str, optuna.distributions.BaseDistribution]":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    found: dict[str, optuna.distributions.BaseDistribution] = {}
    for field in fields:
        if field.choices:
            found[field.name] = CategoricalDistribution(field.choices)
        elif field.whole:
            found[field.name] = IntDistribution(int(field.low), int(field.high), log=field.log)  # type: ignore[arg-type]
        else:
            found[field.name] = FloatDistribution(field.low, field.high, log=field.log)  # type: ignore[arg-type]
    return found
