"""Playing single rounds, as the tests of protocols need it."""

import warnings
from typing import Any

import torch

from nip.errors import NipWarning
from nip.parameters import HyperParameters
from nip.protocols import ProtocolHandler, build_protocol_handler

DISTINCT_REWARDS = {
    "prover_reward": 1.0,
    "verifier_reward": 2.0,
    "verifier_incorrect_penalty": -16.0,
    "verifier_terminated_penalty": -4.0,
    "verifier_no_guess_reward": 8.0,
}
"""The common parameters of the worked table: no two of them, and no sum of them, are equal."""

REJECT, ACCEPT, CONTINUE = 0, 1, 2

RUNNING, DECIDED, TERMINATED = "running", "decided", "terminated"


def hyper_params_of(protocol: str, **groups: Any) -> HyperParameters:
    """Return the parameters of an experiment with a protocol, and with groups of parameters.

    Some tests set what has no effect on purpose, so warnings about it are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        return HyperParameters(
            scenario="graph_isomorphism",
            trainer="vanilla_ppo",
            dataset="never_opened",
            interaction_protocol=protocol,
            **groups,
        )


def handler_of(
    protocol: str, *, common: dict[str, Any] | None = None, **groups: Any
) -> ProtocolHandler:
    """Build a protocol with the rewards of the worked table, but for changes in ``common``."""
    protocol_common = {**DISTINCT_REWARDS, **(common or {})}
    return build_protocol_handler(
        hyper_params_of(protocol, protocol_common=protocol_common, **groups)
    )


def play(
    handler: ProtocolHandler,
    *,
    round: int,
    says: int = CONTINUE,
    y: int = 0,
    seed: int = 0,
    done: bool = False,
) -> tuple[str, list[float]]:
    """Play one round of one episode.

    Everybody but the verifier says the opposite of what it says, which must not matter.

    Returns
    -------
    state : str
        ``RUNNING``, ``DECIDED`` or ``TERMINATED``.
    rewards : list of float
        Of each agent.
    """
    others = {REJECT: ACCEPT, ACCEPT: REJECT, CONTINUE: ACCEPT}[says]
    decision = [says if name == "verifier" else others for name in handler.agent_names]
    step = handler.make_tensor_protocol().step(
        y=torch.tensor([y]),
        round=torch.tensor([round]),
        seed=torch.tensor([seed]),
        decision=torch.tensor([decision]),
        done=torch.tensor([done]),
    )
    assert not (step.done & step.terminated).any()
    assert step.agent_done.tolist() == [step.done.tolist() * handler.num_agents]
    state = RUNNING
    if step.done.item():
        state = DECIDED
    if step.terminated.item():
        state = TERMINATED
    return state, step.reward[0].tolist()


def writers(handler: ProtocolHandler, round: int, seed: int = 0) -> set[tuple[str, str]]:
    """Return the pairs of agent and channel that are active."""
    by_channel = handler.active_agents_by_channel(round, seed)
    return {(agent, channel) for channel, agents in by_channel.items() for agent in agents}
