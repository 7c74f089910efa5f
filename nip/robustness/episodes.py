"""Episodes about chosen datapoints, and how the verifier decided in them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from nip.scenario_base.agents import ILLEGAL_LOGIT
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


@contextmanager
def evaluation_mode(agents: CombinedAgents) -> Iterator[None]:
    """Put agents into evaluation mode, and back into their former mode at the end."""
    modes = [(module, module.training) for module in agents.modules()]
    agents.eval()
    try:
        yield
    finally:
        for module, is_training in modes:
            module.training = is_training


def message_keys(actions: Mapping[str, Tensor], message_key: str) -> list[tuple[str, str]]:
    """Return the keys of the logits and of the symbols of each kind of message."""
    pairs = [("main_message_logits", message_key)]
    if "linear_message_logits" in actions:
        pairs.append(("linear_message_logits", "linear_message_selected"))
    return pairs


def is_legal(logits: Tensor) -> Tensor:
    """Return which symbols may be chosen, of the shape of the logits."""
    return logits > ILLEGAL_LOGIT / 2


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
    random_agents: Sequence[str] = (),
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
    random_agents : sequence of str
        Agents whose messages are drawn uniformly from the legal symbols.
    """
    generator = torch.Generator(environment.device).manual_seed(seed)
    pairs = list(product(range(num_repeats), variants))
    datapoint = rows.repeat(len(pairs))
    episode_seeds = torch.tensor([variant for _, variant in pairs]).repeat_interleave(len(rows))
    state = environment.state_of(datapoint, episode_seeds)
    verdict = torch.full_like(datapoint, 2)
    playing = torch.arange(len(datapoint))
    protocol = environment.tensor_protocol
    randomised = [environment.protocol.agent_names.index(name) for name in random_agents]
    with evaluation_mode(agents):
        while len(playing) > 0:
            active = protocol.active_mask(state["round"], state["seed"])
            decides = protocol.counting_mask(state["round"], state["seed"])
            actions = agents.act(state, active, decides, None, generator, greedy=greedy)
            for logits_key, key in message_keys(actions, environment.message_key):
                for index in randomised:
                    drawn = _random_symbols(actions[logits_key][:, index], generator)
                    actions[key][:, index] = drawn
            transition = environment.advance(state, actions)
            verdict[playing] = transition.verdict.cpu()
            goes_on = ~transition.done
            playing = playing[goes_on.cpu()]
            state = {name: value[goes_on] for name, value in transition.state.items()}
    label = environment.dataset.y[datapoint].cpu()
    return Outcomes(datapoint.cpu(), verdict == label)


def _random_symbols(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one legal symbol for each row of logits, (..., symbol).

    Where none is legal, as in a round in which the agent does not write on a channel, the symbol
    is not read, and any is drawn.
    """
    legal = is_legal(logits)
    weights = (legal | ~legal.any(-1, keepdim=True)).to(logits.dtype)
    drawn = torch.multinomial(weights.flatten(0, -2), 1, generator=generator)
    return drawn.view(logits.shape[:-1])
