"""Figures of a batch of rollouts, each explained in ``doc/reference/metrics.md``."""

from math import isnan, log

import numpy as np
import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.protocols.handler import ProtocolHandler
from nip.scenario_base.actions import categorical_entropy

MIN_VARIANCE = 1e-6
"""Smallest divisor of the critic's residual variance."""

NEEDED_KEYS = (
    "round",
    "seed",
    "y",
    "datapoint_id",
    "agents",
    "next",
)
"""What the metrics read of a batch."""


def metric_frames(batch: TensorDictBase) -> TensorDict:
    """Return the part of a batch, of batch size (environment, step), that metrics are made of."""
    return batch.select(*NEEDED_KEYS)


def rollout_metrics(batch: TensorDictBase, protocol: ProtocolHandler) -> dict[str, float]:
    """Compute the metrics of a batch.

    Parameters
    ----------
    batch : TensorDictBase
        Frames of batch size (environment, step).
    protocol : ProtocolHandler
        Names the agents.

    Returns
    -------
    metrics : dict of str to float
        Without what is not defined, such as the completeness of a batch without any accepted or
        rejected question whose answer is 1.
    """
    frames = batch.reshape(-1)
    metrics = _episode_metrics(frames, protocol)
    goals = speaker_goals(protocol)
    if goals is not None:
        metrics |= _speaker_metrics(frames, protocol, goals)
    for index, name in enumerate(protocol.agent_names):
        figures = {
            **_reward_metrics(frames, index),
            **_policy_metrics(frames, index, name in protocol.verifier_names),
            **_value_metrics(frames, index),
        }
        metrics |= {f"{name}.{key}": value for key, value in figures.items()}
    values = torch.stack([value.double() for value in metrics.values()]).tolist()
    # A mean over nothing is NaN: such a metric is not defined for this batch.
    return {name: value for name, value in zip(metrics, values, strict=True) if not isnan(value)}


def _episode_metrics(frames: TensorDictBase, protocol: ProtocolHandler) -> dict[str, Tensor]:
    """Return accuracy, completeness, soundness and length over the finished episodes."""
    finished = frames["next", "done"]
    y = frames["y"].squeeze(-1)[finished]
    if len(y) == 0:
        return {}
    decision = final_decisions(frames, protocol)[finished]
    correct = (decision == y).double()
    by_datapoint = group_means(correct, frames["datapoint_id"][finished])
    return {
        "mean_accuracy": correct.mean(),
        "std_accuracy": correct.std(correction=0),
        "mean_datapoint_accuracy": by_datapoint.mean(),
        "std_datapoint_accuracy": by_datapoint.std(correction=0),
        "worst_datapoint_accuracy": by_datapoint.min(),
        "completeness": (decision[y == 1] == 1).double().mean(),
        "soundness": (decision[y == 0] == 0).double().mean(),
        "decided_share": (decision != 2).double().mean(),
        "mean_episode_length": (frames["round"][finished] + 1).double().mean(),
        "num_episodes": finished.sum(),
    }


def speaker_goals(protocol: ProtocolHandler) -> list[int] | None:
    """Return the label for which the one speaking prover argues, for each variant of the protocol.

    None where the episode seed does not choose a single speaker, which it does in Merlin-Arthur
    classification.
    """
    speaks = np.asarray(protocol.active.any(axis=(1, 3)))
    provers = [protocol.agent_names.index(name) for name in protocol.prover_names]
    speakers = [[index for index in provers if row[index]] for row in speaks]
    if protocol.num_variants == 1 or any(len(some) != 1 for some in speakers):
        return None
    return [protocol.prover_goals[protocol.agent_names[index]] for (index,) in speakers]


def _speaker_metrics(
    frames: TensorDictBase, protocol: ProtocolHandler, goals: list[int]
) -> dict[str, Tensor]:
    """Return completeness and soundness given who spoke (Wäldchen et al., 2024).

    Completeness is the smaller of the two accuracies with a speaker for the true label, soundness
    the smaller of the two chances not to decide for the false label with a speaker for it.
    """
    finished = frames["next", "done"]
    y = frames["y"].squeeze(-1)[finished]
    decision = final_decisions(frames, protocol)[finished]
    goal = torch.tensor(goals, device=y.device)[frames["seed"][finished] % len(goals)]
    honest = [(decision == label)[(goal == label) & (y == label)] for label in (0, 1)]
    resisted = [(decision != label)[(goal == label) & (y != label)] for label in (0, 1)]
    return {
        "speaker_completeness": torch.stack([part.double().mean() for part in honest]).min(),
        "speaker_soundness": torch.stack([part.double().mean() for part in resisted]).min(),
    }


def final_decisions(frames: TensorDictBase, protocol: ProtocolHandler) -> Tensor:
    """Return the decision in each frame, 2 where there was none, (frame,).

    It is the verifier's, or the one that the protocol forces on it.
    """
    verifier = protocol.agent_names.index("verifier")
    decision = frames["agents", "decision"][:, verifier]
    if protocol.force_guess == "y":
        decision = frames["y"].squeeze(-1)
    elif protocol.force_guess is not None:
        decision = torch.full_like(decision, int(protocol.force_guess == "one"))
    undecided = frames["next", "terminated"] | ~frames["agents", "decides"][:, verifier]
    return torch.where(undecided, 2, decision)


def group_means(values: Tensor, groups: Tensor) -> Tensor:
    """Return the mean of the values of each group which occurs, (group,)."""
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
    figures = {"mean_step_reward": step_reward.mean()}
    episode_reward = frames["next", "agents", "episode_reward"][finished, agent].double()
    if len(episode_reward) > 0:
        by_datapoint = group_means(episode_reward, frames["datapoint_id"][finished])
        figures["mean_episode_reward"] = episode_reward.mean()
        figures["worst_episode_reward"] = by_datapoint.min()
    return figures


def _policy_metrics(frames: TensorDictBase, agent: int, is_decider: bool) -> dict[str, Tensor]:
    active = frames["agents", "active"][:, agent]
    logits = frames["agents", "main_message_logits"][:, agent][active].flatten(0, -2)
    figures = _spread("message", logits)
    if is_decider:
        decides = frames["agents", "decides"][:, agent]
        figures |= _spread("decision", frames["agents", "decision_logits"][decides, agent])
    return figures


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
        f"std_{name}_entropy": entropy.std(correction=0),
        f"mean_{name}_max_probability": largest.mean(),
        f"std_{name}_max_probability": largest.std(correction=0),
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
    residual = (target - value).var(correction=0)
    return {
        "mean_advantage": agents["advantage"][known, agent].double().mean(),
        "mean_value": value.mean(),
        "mean_value_target": target.mean(),
        "residual_critic_variance": residual / target.var(correction=0).clamp_min(MIN_VARIANCE),
    }
