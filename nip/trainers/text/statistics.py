"""Metrics of the rollouts of a stage; ``doc/reference/text_metrics.md`` defines each."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.text.episode_rules import EpisodeRules
from nip.scenario_base.text.scenario import TextScenario
from nip.trainers.core.speaker_labels import speaker_labels
from nip.utils.clustered_mean import clustered_mean, mean_by_cluster
from nip.utils.nested_array_dict import NestedArrayDict

Statistics = dict[str, float]

NO_VERDICT = 2
"""Value of ``"verdict"`` in rollouts without a decision."""

MEANS = (
    "mean_accuracy",
    "completeness",
    "soundness",
    "precision",
    "recall",
    "decided_share",
    "terminated_share",
    "mean_decision",
    "mean_episode_length",
)
"""Metrics with a confidence interval."""

OTHERS = (
    "num_failed_rollouts",
    "failed_share",
    "invalid_share",
    "undecided_share",
    "num_episodes",
    "std_accuracy",
    "mean_datapoint_accuracy",
    "std_datapoint_accuracy",
    "worst_datapoint_accuracy",
)
"""Metrics without a confidence interval."""

MISLED = "misled_share"
"""Metric of each prover that can gain from a wrong decision, with a confidence interval."""

FIRST = "first_verifier"
"""Prefix of the metrics of the first verifier's judgement of a test."""

OF_AGENTS = (
    "std_episode_reward",
    "worst_episode_reward",
    "mean_step_reward",
    "mean_prompt_tokens",
    "mean_completion_tokens",
    "retry_share",
    "cut_share",
    "invalid_share",
)
"""Metrics of each agent, except its mean reward."""


def rollout_statistics(
    rollouts: NestedArrayDict,
    protocol: ProtocolHandler,
    prefix: str = "",
    scenario: TextScenario | None = None,
) -> Statistics:
    """Compute the metrics of the rollouts of one stage, of batch size (rollout,), in any order.

    Failed rollouts are counted, and excluded from all other metrics, because they contain no
    decision of the agents. ``prefix``, such as ``"test_"``, is that of all names. The metrics of
    the ``scenario``, if it is given, are added.

    Returns
    -------
    statistics : dict of str to float
        ``<name>_ci_low`` and ``<name>_ci_high`` are the ends of the 95 % confidence interval,
        clustered by the unit of the split, such as the problem (see ``clustered_mean``). Undefined
        metrics, such as the completeness without any datapoint of the label 1, are left out; so are
        the standard deviation of a single value and the interval of a single unit.
    """
    failed = rollouts["failed"]
    statistics: Statistics = {"num_failed_rollouts": float(failed.sum())}
    if len(failed) > 0:
        statistics["failed_share"] = float(failed.mean())
    finished = rollouts[~failed]
    statistics["num_episodes"] = float(len(finished))
    if len(finished) > 0:
        invalid = finished["agents", "invalid"].any(axis=(1, 2))
        statistics["invalid_share"] = float(invalid.mean())
        statistics["undecided_share"] = float((finished["verdict"] == NO_VERDICT).mean())
        statistics |= _question_statistics(finished)
        statistics |= _decision_statistics(finished)
        statistics |= _misled_statistics(finished, protocol, finished["verdict"])
        labels = speaker_labels(protocol)
        if labels is not None:
            statistics |= _speaker_statistics(finished, labels)
        for index, name in enumerate(protocol.agent_names):
            metrics = _reward_statistics(finished, index) | _answer_statistics(finished, index)
            statistics |= {f"{name}.{key}": value for key, value in metrics.items()}
        if scenario is not None:
            for name, values in scenario.rollout_metrics(finished, protocol).items():
                known = ~np.isnan(values)
                statistics |= _mean(name, values[known], finished["cluster"][known])
    return {prefix + name: value for name, value in statistics.items()}


def first_verifier_statistics(
    rollouts: NestedArrayDict, judged: NestedArrayDict, protocol: ProtocolHandler
) -> Statistics:
    """Compute the metrics of the first verifier's verdicts on the rollouts of a test.

    Rollouts that failed, or whose judgement failed, are left out.

    Parameters
    ----------
    rollouts, judged : NestedArrayDict
        The rollouts, batch (rollout,), and the same with the other verdicts. Those that failed may
        be missing in ``judged``.
    protocol : ProtocolHandler
        The protocol.

    Returns
    -------
    statistics : dict of str to float
        Without the prefix ``test_``; as in ``rollout_statistics``, undefined metrics are left out.
    """
    judged = judged[~judged["failed"]]
    rollouts = rollouts[np.isin(rollouts["position"], judged["position"])]
    if len(rollouts) == 0:
        return {}
    verdict = judged["verdict"]
    is_right = verdict == rollouts["y"]
    return {
        **_mean(f"{FIRST}_accuracy", is_right, rollouts["cluster"], is_share=True),
        f"{FIRST}_undecided_share": float((verdict == NO_VERDICT).mean()),
        **_misled_statistics(rollouts, protocol, verdict, f"{FIRST}_"),
    }


def first_verifier_names(protocol: ProtocolHandler) -> frozenset[str]:
    """Return the names of all metrics that ``first_verifier_statistics`` may return."""
    means = [f"{FIRST}_accuracy", *(f"{name}.{FIRST}_{MISLED}" for name in protocol.prover_names)]
    return frozenset({f"{FIRST}_undecided_share", *_with_intervals(means)})


def statistic_names(
    protocol: ProtocolHandler, scenario: TextScenario | None = None
) -> frozenset[str]:
    """Return the names of all metrics that a stage may have."""
    means = [*MEANS, *(f"{name}.mean_episode_reward" for name in protocol.agent_names)]
    means += [f"{name}.{MISLED}" for name in protocol.prover_names]
    if scenario is not None:
        means += scenario.rollout_metric_names(protocol)
    names = {*_with_intervals(means), *OTHERS}
    if speaker_labels(protocol) is not None:
        names |= {"speaker_completeness", "speaker_soundness"}
    names |= {f"{name}.{metric}" for name in protocol.agent_names for metric in OF_AGENTS}
    return frozenset(names)


def _with_intervals(means: Iterable[str]) -> Iterator[str]:
    """Yield the name of each mean, and of the ends of its interval."""
    for name in means:
        yield from (name, f"{name}_ci_low", f"{name}_ci_high")


def _misled_statistics(
    finished: NestedArrayDict,
    protocol: ProtocolHandler,
    verdict: NDArray[np.int64],
    prefix: str = "",
) -> Statistics:
    """Return for each prover how often it obtains a wrong decision where that pays.

    The metric is the share of wrong decisions among the rollouts in which the prover has written
    and would be paid more for the wrong decision than for the right one.
    """
    rules = EpisodeRules.of(protocol)
    y, stance = finished["y"], finished["prover_stance"]
    statistics: Statistics = {}
    for name in protocol.prover_names:
        # By the stance of the datapoint and the label, whether the prover gains from an error.
        tables = [rules.rewards_of(name, each) for each in (0, 1)]
        gains = np.array([[row[1 - y] > row[y] for y, row in enumerate(each)] for each in tables])
        wrote = finished["agents", "active"][:, :, protocol.agent_names.index(name)].any(axis=1)
        tries = gains[stance, y] & wrote
        is_misled = (verdict == 1 - y)[tries]
        cluster = finished["cluster"][tries]
        statistics |= _mean(f"{name}.{prefix}{MISLED}", is_misled, cluster, is_share=True)
    return statistics


def _question_statistics(finished: NestedArrayDict) -> Statistics:
    """Return the metrics of the verdict compared to the true label."""
    cluster, y, verdict = finished["cluster"], finished["y"], finished["verdict"]
    correct = verdict == y
    by_datapoint = mean_by_cluster(correct, finished["datapoint_id"])
    statistics = {
        **_deviation("std_accuracy", correct),
        "mean_datapoint_accuracy": float(by_datapoint.mean()),
        **_deviation("std_datapoint_accuracy", by_datapoint),
        "worst_datapoint_accuracy": float(by_datapoint.min()),
    }
    everywhere = np.ones(len(y), dtype=bool)
    shares = {
        "mean_accuracy": (correct, everywhere),
        "completeness": (verdict == 1, y == 1),
        "soundness": (verdict == 0, y == 0),
        "precision": (y == 1, verdict == 1),
        "recall": (verdict == 1, y == 1),
    }
    for name, (holds, among) in shares.items():
        statistics |= _mean(name, holds[among], cluster[among], is_share=True)
    return statistics


def _decision_statistics(finished: NestedArrayDict) -> Statistics:
    """Return the metrics of the verdict itself, independent of the true label."""
    cluster, value = finished["cluster"], finished["verdict_value"]
    known = ~np.isnan(value)
    return {
        **_mean("decided_share", finished["verdict"] != NO_VERDICT, cluster, is_share=True),
        **_mean("terminated_share", finished["terminated"], cluster, is_share=True),
        **_mean("mean_decision", value[known], cluster[known]),
        **_mean("mean_episode_length", finished["num_rounds"], cluster),
    }


def _speaker_statistics(finished: NestedArrayDict, labels: list[int]) -> Statistics:
    """Return completeness and soundness by the label that the speaker argues for.

    Per label: completeness is the share of verdicts for the label among rollouts whose speaker
    argues for it and is right, soundness the share of other verdicts among rollouts whose speaker
    argues for it and is wrong. The metric is the minimum over both labels (Wäldchen et al., 2024),
    as for tensors. ``labels`` holds that of the speaker by the episode seed modulo its length.
    """
    y, verdict = finished["y"], finished["verdict"]
    argued = np.asarray(labels)[finished["seed"] % len(labels)]
    honest = [(verdict == label)[(argued == label) & (y == label)] for label in (0, 1)]
    resisted = [(verdict != label)[(argued == label) & (y != label)] for label in (0, 1)]
    shares = {"speaker_completeness": honest, "speaker_soundness": resisted}
    return {
        name: float(min(part.mean() for part in parts))
        for name, parts in shares.items()
        if all(len(part) > 0 for part in parts)
    }


def _reward_statistics(finished: NestedArrayDict, agent: int) -> Statistics:
    reward = finished["agents", "reward"][:, :, agent].sum(axis=1)
    return {
        **_mean("mean_episode_reward", reward, finished["cluster"]),
        **_deviation("std_episode_reward", reward),
        "worst_episode_reward": float(mean_by_cluster(reward, finished["datapoint_id"]).min()),
        "mean_step_reward": float(reward.sum() / finished["num_rounds"].sum()),
    }


def _answer_statistics(finished: NestedArrayDict, agent: int) -> Statistics:
    """Return the metrics of an agent's answers: tokens per rollout, and shares of its turns."""
    agents = finished["agents"]
    statistics = {
        f"mean_{kind}_tokens": float(agents[f"{kind}_tokens"][:, :, agent].sum(axis=1).mean())
        for kind in ("prompt", "completion")
    }
    turns = (agents["active"] | agents["invalid"])[:, :, agent]
    if not turns.any():
        return statistics
    flags = {
        "retry_share": agents["num_retries"] > 0,
        "cut_share": agents["cut"],
        "invalid_share": agents["invalid"],
    }
    shares = {name: float(flag[:, :, agent][turns].mean()) for name, flag in flags.items()}
    return statistics | shares


def _deviation(name: str, values: NDArray[Any]) -> Statistics:
    """Return the standard deviation, which is undefined for a single value."""
    return {name: float(values.std())} if len(values) > 1 else {}


def _mean(
    name: str, values: NDArray[Any], clusters: NDArray[Any], is_share: bool = False
) -> Statistics:
    """Return a mean and its confidence interval, as far as they are defined."""
    if len(values) == 0:
        return {}
    found = clustered_mean(values, clusters, is_share=is_share)
    if found.ci_low is None or found.ci_high is None:
        return {name: found.mean}
    return {name: found.mean, f"{name}_ci_low": found.ci_low, f"{name}_ci_high": found.ci_high}
