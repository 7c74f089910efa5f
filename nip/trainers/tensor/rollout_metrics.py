"""Metrics of a batch of rollouts. ``doc/reference/metrics.md`` defines each of them."""

from math import log

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.actions import categorical_entropy
from nip.trainers.core.speaker_labels import speaker_labels
from nip.utils.batch_rows import take_rows

MIN_VARIANCE = 1e-6
"""Lower bound of the divisor of the critic's residual variance."""

NEEDED_KEYS = (
    "round",
    "seed",
    "y",
    "datapoint_id",
    "agents",
    "next",
)
"""Keys of a batch that the metrics read."""


EPISODE_METRICS = (
    "mean_accuracy",
    "std_accuracy",
    "mean_datapoint_accuracy",
    "std_datapoint_accuracy",
    "worst_datapoint_accuracy",
    "decided_share",
    "mean_episode_length",
    "num_episodes",
    "soundness",
    "completeness",
)
REWARD_METRICS = ("mean_step_reward", "mean_episode_reward", "worst_episode_reward")
VALUE_METRICS = ("mean_advantage", "mean_value", "mean_value_target", "residual_critic_variance")
SPREAD_METRICS = (
    "mean_{}_entropy",
    "std_{}_entropy",
    "mean_{}_max_probability",
    "std_{}_max_probability",
)


def metric_frames(batch: TensorDictBase) -> TensorDict:
    """Return the entries of a batch, (environment, step), that metrics are computed from."""
    return batch.select(*NEEDED_KEYS, "opponent", strict=False)


def first_episodes(batch: TensorDictBase, protocol: ProtocolHandler) -> TensorDictBase:
    """Return the frames, (frame,), of the first episodes of each environment, equally many of each.

    Their number is such that all of them have ended by the last step, however long they are.
    Counting every episode that has ended by then would favour short ones.

    Raises
    ------
    ValueError
        If there are fewer steps than the longest episode has.
    """
    done = batch["next", "done"]
    num_episodes = done.shape[1] // protocol.num_episode_rounds
    if num_episodes == 0:
        raise ValueError(
            f"The batch has {done.shape[1]} steps, in which an episode of up to "
            f"{protocol.num_episode_rounds} rounds may not end. Play at least as many steps."
        )
    episode = done.cumsum(dim=1) - done.long()
    (rows,) = (episode < num_episodes).flatten().nonzero(as_tuple=True)
    return take_rows(batch.reshape(-1), rows)


def rollout_metrics(batch: TensorDictBase, protocol: ProtocolHandler) -> dict[str, float]:
    """Compute the metrics of frames of any batch size, as far as they are defined.

    Completeness, for instance, is missing without finished episodes whose label is 1, and standard
    deviations are missing of a single value.
    """
    frames = batch.reshape(-1)
    metrics = _episode_metrics(frames)
    goals = speaker_labels(protocol)
    if goals is not None:
        metrics |= _speaker_metrics(frames, goals)
    for index, name in enumerate(protocol.agent_names):
        of_agent = {
            **_reward_metrics(frames, index),
            **_policy_metrics(frames, index, name in protocol.verifier_names),
            **_value_metrics(frames, index),
        }
        metrics |= {f"{name}.{key}": value for key, value in of_agent.items()}
    values = torch.stack([value.double() for value in metrics.values()]).tolist()
    return dict(zip(metrics, values, strict=True))


def rollout_metric_names(protocol: ProtocolHandler) -> frozenset[str]:
    """Return the names of all metrics that ``rollout_metrics`` may return."""
    names = {*EPISODE_METRICS}
    if speaker_labels(protocol) is not None:
        names |= {"speaker_completeness", "speaker_soundness"}
    for name in protocol.agent_names:
        spreads = ["message", "decision"] if name in protocol.verifier_names else ["message"]
        own = [metric.format(spread) for metric in SPREAD_METRICS for spread in spreads]
        names |= {f"{name}.{metric}" for metric in (*REWARD_METRICS, *VALUE_METRICS, *own)}
    return frozenset(names)


def _episode_metrics(frames: TensorDictBase) -> dict[str, Tensor]:
    """Return accuracy, completeness, soundness and length of the finished episodes."""
    finished = frames["next", "done"]
    y = frames["y"].squeeze(-1)[finished]
    if len(y) == 0:
        return {}
    decision = frames["next", "verdict"][finished]
    correct = (decision == y).double()
    by_datapoint = group_means(correct, frames["datapoint_id"][finished])
    metrics = {
        "mean_accuracy": correct.mean(),
        **_deviation("std_accuracy", correct),
        "mean_datapoint_accuracy": by_datapoint.mean(),
        **_deviation("std_datapoint_accuracy", by_datapoint),
        "worst_datapoint_accuracy": by_datapoint.min(),
        "decided_share": (decision != 2).double().mean(),
        "mean_episode_length": (frames["round"][finished] + 1).double().mean(),
        "num_episodes": finished.sum(),
    }
    for label, name in enumerate(("soundness", "completeness")):
        if bool((y == label).any()):
            metrics[name] = (decision[y == label] == label).double().mean()
    return metrics


def _deviation(name: str, values: Tensor) -> dict[str, Tensor]:
    """Return the standard deviation, which is undefined for a single value."""
    return {name: values.std(correction=0)} if values.numel() > 1 else {}


def _speaker_metrics(frames: TensorDictBase, goals: list[int]) -> dict[str, Tensor]:
    """Return completeness and soundness given who spoke (Wäldchen et al., 2024).

    Completeness is the smaller of the two accuracies with a speaker for the true label. Soundness
    is the smaller of the two probabilities of not deciding for the false label with a speaker for
    it.
    """
    finished = frames["next", "done"]
    y = frames["y"].squeeze(-1)[finished]
    decision = frames["next", "verdict"][finished]
    goal = torch.tensor(goals, device=y.device)[frames["seed"][finished] % len(goals)]
    honest = [(decision == label)[(goal == label) & (y == label)] for label in (0, 1)]
    resisted = [(decision != label)[(goal == label) & (y != label)] for label in (0, 1)]
    shares = {"speaker_completeness": honest, "speaker_soundness": resisted}
    return {
        name: torch.stack([part.double().mean() for part in parts]).min()
        for name, parts in shares.items()
        if all(len(part) > 0 for part in parts)
    }


def group_means(values: Tensor, groups: Tensor) -> Tensor:
    """Return the mean value of each group that occurs, (group,)."""
    _, inverse = torch.unique(groups, return_inverse=True)
    counts = torch.bincount(inverse)
    return (
        torch.zeros(len(counts), dtype=values.dtype, device=values.device).index_add_(
            0, inverse, values
        )
        / counts
    )


def _reward_metrics(frames: TensorDictBase, agent: int) -> dict[str, Tensor]:
    finished = frames["next", "done"]
    step_reward = frames["next", "agents", "reward"][:, agent].double()
    metrics = {"mean_step_reward": step_reward.mean()}
    episode_reward = frames["next", "agents", "episode_reward"][finished, agent].double()
    if len(episode_reward) > 0:
        by_datapoint = group_means(episode_reward, frames["datapoint_id"][finished])
        metrics["mean_episode_reward"] = episode_reward.mean()
        metrics["worst_episode_reward"] = by_datapoint.min()
    return metrics


def _policy_metrics(frames: TensorDictBase, agent: int, is_decider: bool) -> dict[str, Tensor]:
    active = frames["agents", "active"][:, agent]
    logits = frames["agents", "main_message_logits"][:, agent][active].flatten(0, -2)
    metrics = _spread("message", logits)
    if is_decider:
        decides = frames["agents", "decides"][:, agent]
        metrics |= _spread("decision", frames["agents", "decision_logits"][decides, agent])
    return metrics


def _spread(name: str, logits: Tensor) -> dict[str, Tensor]:
    """Return the entropy, as a share of the largest possible one, and the largest probability."""
    if len(logits) == 0:
        return {}
    logits = logits.double()
    num_symbols = logits.shape[-1]
    scale = log(num_symbols) if num_symbols > 1 else 1.0
    entropy = categorical_entropy(logits) / scale
    largest = logits.softmax(-1).amax(-1)
    return {
        f"mean_{name}_entropy": entropy.mean(),
        **_deviation(f"std_{name}_entropy", entropy),
        f"mean_{name}_max_probability": largest.mean(),
        **_deviation(f"std_{name}_max_probability", largest),
    }


def _value_metrics(frames: TensorDictBase, agent: int) -> dict[str, Tensor]:
    agents = frames["agents"]
    if "value_target" not in agents.keys():
        return {}
    known = agents["value_known"][:, agent]
    if not bool(known.any()):
        return {}
    value = agents["value"][known, agent].double()
    target = agents["value_target"][known, agent].double()
    metrics = {
        "mean_advantage": agents["advantage"][known, agent].double().mean(),
        "mean_value": value.mean(),
        "mean_value_target": target.mean(),
    }
    if len(target) > 1:
        residual = (target - value).var(correction=0)
        variance = target.var(correction=0).clamp_min(MIN_VARIANCE)
        metrics["residual_critic_variance"] = residual / variance
    return metrics
