"""Episodes about chosen datapoints, and how the verifier decided in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.environment import TensorDictEnvironment


@dataclass(frozen=True)
class Outcomes:
    """Decisions of the verifier."""

    datapoint: Tensor
    """Row of the dataset of each episode, (episode,)."""

    is_right: Tensor
    """Whether the decision was right, (episode,) of bool; without a decision it was not."""


def rows_with_label(environment: TensorDictEnvironment, label: int) -> Tensor:
    """Return the rows of the dataset of an environment that have a label, (row,)."""
    return (environment.dataset.y == label).nonzero().squeeze(-1)


@torch.no_grad()
def play_episodes(
    environment: TensorDictEnvironment,
    agents: CombinedAgents,
    rows: Tensor,
    variants: Sequence[int],
    *,
    num_repeats: int,
    greedy: bool,
    seed: int,
) -> Outcomes:
    """Play episodes about each datapoint in each timetable.

    Parameters
    ----------
    rows : Tensor
        Rows of the dataset, (row,).
    variants : sequence of int
        Timetables of the protocol, which the seed of an episode chooses.
    num_repeats : int
        Episodes about each datapoint in each timetable.
    greedy : bool
        Whether the agents take their most probable actions.
    seed : int
        Seed of the sampled actions.
    """
    agents.eval()
    generator = torch.Generator(environment.device).manual_seed(seed)
    pairs = list(product(range(num_repeats), variants))
    datapoint = rows.repeat(len(pairs))
    episode_seeds = torch.tensor([variant for _, variant in pairs]).repeat_interleave(len(rows))
    state = environment.state_of(datapoint, episode_seeds)
    verdict = torch.full_like(datapoint, 2)
    playing = torch.arange(len(datapoint))
    protocol = environment.tensor_protocol
    while len(playing) > 0:
        active = protocol.active_mask(state["round"], state["seed"])
        decides = protocol.counting_mask(state["round"], state["seed"])
        actions = agents.act(state, active, decides, None, generator, greedy=greedy)
        transition = environment.advance(state, actions)
        verdict[playing] = transition.verdict.cpu()
        goes_on = ~transition.done
        playing = playing[goes_on.cpu()]
        state = {name: value[goes_on] for name, value in transition.state.items()}
    label = environment.dataset.y[datapoint].cpu()
    return Outcomes(datapoint.cpu(), verdict == label)
