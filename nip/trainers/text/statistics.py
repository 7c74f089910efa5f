"""Figures of a stage of dialogues, each explained in ``doc/reference/text_metrics.md``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nip.protocols.handler import ProtocolHandler
from nip.trainers.core.speaker_labels import speaker_labels
from nip.utils.clustered_mean import clustered_mean, mean_by_cluster
from nip.utils.nested_array_dict import NestedArrayDict

Statistics = dict[str, float]

NO_VERDICT = 2
"""What stands in ``"verdict"`` when nothing was decided."""


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
"""Statistics that have an interval."""

OTHERS = (
    "num_failed_rollouts",
    "failed_share",
    "num_episodes",
    "std_accuracy",
    "mean_datapoint_accuracy",
    "std_datapoint_accuracy",
    "worst_datapoint_accuracy",
)
"""Statistics without."""

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
"""Statistics of each agent, without its mean reward."""


def rollout_statistics(
    rollouts: NestedArrayDict, protocol: ProtocolHandler, prefix: str = ""
) -> Statistics:
    """Compute the statistics of the rollouts of one stage.

    Rollouts that failed are counted, and left out of everything else: nothing was rejected in them.

    Parameters
    ----------
    rollouts : NestedArrayDict
        Batch size (rollout,), in any order.
    protocol : ProtocolHandler
        Names the agents, in the order of their axis.
    prefix : str
        What every name begins with, such as ``"test_"``.

    Returns
    -------
    statistics : dict of str to float
        Where an interval is given, ``<name>_ci_low`` and ``<name>_ci_high`` hold the ends of the
        95 % confidence interval, clustered by datapoint (see ``clustered_mean``). What is not
        defined, such as the completeness without any question whose answer is 1, is left out.
    """
    failed = rollouts["failed"]
    statistics: Statistics = {"num_failed_rollouts": float(failed.sum())}
    if len(failed) > 0:
        statistics["failed_share"] = float(failed.mean())
    finished = rollouts[~failed]
    statistics["num_episodes"] = float(len(finished))
    if len(finished) > 0:
        statistics |= _question_statistics(finished)
        statistics |= _decision_statistics(finished)
        goals = speaker_labels(protocol)
        if goals is not None:
            statistics |= _speaker_statistics(finished, goals)
        for index, name in enumerate(protocol.agent_names):
            figures = _reward_statistics(finished, index) | _answer_statistics(finished, index)
            statistics |= {f"{name}.{key}": value for key, value in figures.items()}
    return {prefix + name: value for name, value in statistics.items()}


def statistic_names(protocol: ProtocolHandler) -> frozenset[str]:
    """Return the names of all statistics that a stage may have."""
    means = [*MEANS, *(f"{name}.mean_episode_reward" for name in protocol.agent_names)]
    names = {*means, *(f"{name}_ci_{end}" for name in means for end in ("low", "high")), *OTHERS}
    if speaker_labels(protocol) is not None:
        names |= {"speaker_completeness", "speaker_soundness"}
    names |= {f"{name}.{figure}" for name in protocol.agent_names for figure in OF_AGENTS}
    return frozenset(names)


def _question_statistics(finished: NestedArrayDict) -> Statistics:
    """Return how well the question is answered."""
    datapoint, y, verdict = finished["datapoint_id"], finished["y"], finished["verdict"]
    correct = verdict == y
    by_datapoint = mean_by_cluster(correct, datapoint)
    statistics = {
        "std_accuracy": float(correct.std()),
        "mean_datapoint_accuracy": float(by_datapoint.mean()),
        "std_datapoint_accuracy": float(by_datapoint.std()),
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
        statistics |= _mean(name, holds[among], datapoint[among], is_share=True)
    return statistics


def _decision_statistics(finished: NestedArrayDict) -> Statistics:
    """Return whether, when and what is decided, whatever the right answer."""
    datapoint, value = finished["datapoint_id"], finished["verdict_value"]
    known = ~np.isnan(value)
    return {
        **_mean("decided_share", finished["verdict"] != NO_VERDICT, datapoint, is_share=True),
        **_mean("terminated_share", finished["terminated"], datapoint, is_share=True),
        **_mean("mean_decision", value[known], datapoint[known]),
        **_mean("mean_episode_length", finished["num_rounds"], datapoint),
    }


def _speaker_statistics(finished: NestedArrayDict, goals: list[int]) -> Statistics:
    """Return completeness and soundness given who spoke (Wäldchen et al., 2024).

    The same as for tensors: for each label, the share of right decisions with a speaker for it
    when it is true, and that of decisions which are not for it when it is false; of both the
    smaller.
    """
    y, verdict = finished["y"], finished["verdict"]
    goal = np.asarray(goals)[finished["seed"] % len(goals)]
    honest = [(verdict == label)[(goal == label) & (y == label)] for label in (0, 1)]
    resisted = [(verdict != label)[(goal == label) & (y != label)] for label in (0, 1)]
    shares = {"speaker_completeness": honest, "speaker_soundness": resisted}
    return {
        name: float(min(part.mean() for part in parts))
        for name, parts in shares.items()
        if all(len(part) > 0 for part in parts)
    }


def _reward_statistics(finished: NestedArrayDict, agent: int) -> Statistics:
    datapoint = finished["datapoint_id"]
    reward = finished["agents", "reward"][:, :, agent].sum(axis=1)
    return {
        **_mean("mean_episode_reward", reward, datapoint),
        "std_episode_reward": float(reward.std()),
        "worst_episode_reward": float(mean_by_cluster(reward, datapoint).min()),
        "mean_step_reward": float(reward.sum() / finished["num_rounds"].sum()),
    }


def _answer_statistics(finished: NestedArrayDict, agent: int) -> Statistics:
    """Return how the model behind an agent answers, over the turns that the agent had."""
    agents = finished["agents"]
    statistics = {
        f"mean_{kind}_tokens": float(agents[f"{kind}_tokens"][:, :, agent].sum(axis=1).mean())
        for kind in ("prompt", "completion")
    }
    turns = (agents["active"] | agents["invalid"])[:, :, agent]
    if not turns.any():
        return statistics
    marks = {
        "retry_share": agents["num_retries"] > 0,
        "cut_share": agents["cut"],
        "invalid_share": agents["invalid"],
    }
    shares = {name: float(mark[:, :, agent][turns].mean()) for name, mark in marks.items()}
    return statistics | shares


def _mean(
    name: str, values: NDArray[Any], clusters: NDArray[Any], is_share: bool = False
) -> Statistics:
    """Return a mean and its interval, as far as they are defined."""
    if len(values) == 0:
        return {}
    found = clustered_mean(values, clusters, is_share=is_share)
    if found.ci_low is None or found.ci_high is None:
        return {name: found.mean}
    return {name: found.mean, f"{name}_ci_low": found.ci_low, f"{name}_ci_high": found.ci_high}
