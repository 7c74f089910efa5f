"""What the protocols do, said a second time: in plain Python, one round of one episode at a time.

Nothing here is imported from the protocols, and nothing is compiled: each statement is a sentence
of the specification.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nip.parameters import HyperParameters

Writers = set[tuple[str, str]]
"""Pairs of an agent and a channel on which it writes."""


@dataclass(frozen=True)
class Statement:
    """One protocol in words."""

    agents: list[str]
    sees: dict[str, list[str]]
    """The channels of each agent."""
    writers: Callable[[HyperParameters, int, int], Writers]
    """Who writes where, given the parameters, the round and the seed."""
    rounds: Callable[[HyperParameters], tuple[int, int, int]]
    """Room in the history, rounds of an episode, first round that may end it, counted from 1."""
    paid_for: dict[str, int]
    """The decision which pays each prover."""


def _nip(hyper_params: HyperParameters, round_: int, seed: int) -> Writers:
    verifier_opens = hyper_params.protocol_common.verifier_first
    if round_ % 2 == 0:
        return {("verifier" if verifier_opens else "prover", "main")}
    return {("prover" if verifier_opens else "verifier", "main")}


def _adp(hyper_params: HyperParameters, round_: int, seed: int) -> Writers:
    return {("prover", "main")} if round_ == 0 else {("verifier", "main")}


def _two_provers(hyper_params: HyperParameters, group: str, round_: int) -> Writers:
    params = getattr(hyper_params, group)
    verifier_first = hyper_params.protocol_common.verifier_first
    verifier = {("verifier", "prover0_channel"), ("verifier", "prover1_channel")}
    prover0, prover1 = ("prover0", "prover0_channel"), ("prover1", "prover1_channel")
    if not params.sequential:
        verifier_round = 0 if verifier_first else 1
        return verifier if round_ % 2 == verifier_round else {prover0, prover1}
    verifier_round = 0 if verifier_first else 2
    if round_ % 3 == verifier_round:
        return verifier
    is_first_prover_round = round_ % 3 == (1 if verifier_first else 0)
    return {prover0} if is_first_prover_round == params.prover0_first else {prover1}


def _debate(hyper_params: HyperParameters, round_: int, seed: int) -> Writers:
    return _two_provers(hyper_params, "debate_protocol", round_)


def _mnip(hyper_params: HyperParameters, round_: int, seed: int) -> Writers:
    return _two_provers(hyper_params, "mnip_protocol", round_)


def _merlin_arthur(hyper_params: HyperParameters, round_: int, seed: int) -> Writers:
    if round_ == 1:
        return {("verifier", "main")}
    return {("prover0", "main")} if seed % 2 == 0 else {("prover1", "main")}


def _solo_verifier(hyper_params: HyperParameters, round_: int, seed: int) -> Writers:
    return {("verifier", "main")} if round_ == 0 else set()


def _multi_channel_test(hyper_params: HyperParameters, round_: int, seed: int) -> Writers:
    if round_ % 3 == 0:
        return {("verifier", "main"), ("verifier", "prover0_verifier")}
    if round_ % 3 == 1:
        return {(f"prover{index}", "prover_chat") for index in range(3)}
    return {("prover0", "prover0_verifier"), ("prover1", "main"), ("prover2", "main")}


def _rounds_of(group: str) -> Callable[[HyperParameters], tuple[int, int, int]]:
    def rounds(hyper_params: HyperParameters) -> tuple[int, int, int]:
        params = getattr(hyper_params, group)
        return params.max_message_rounds, params.max_message_rounds, params.min_message_rounds

    return rounds


BOTH_PROVER_CHANNELS = ["prover0_channel", "prover1_channel"]

STATEMENTS = {
    "nip": Statement(
        agents=["prover", "verifier"],
        sees={"prover": ["main"], "verifier": ["main"]},
        writers=_nip,
        rounds=_rounds_of("nip_protocol"),
        paid_for={"prover": 1},
    ),
    "adp": Statement(
        agents=["prover", "verifier"],
        sees={"prover": ["main"], "verifier": ["main"]},
        writers=_adp,
        rounds=lambda _: (2, 2, 1),
        paid_for={"prover": 1},
    ),
    "debate": Statement(
        agents=["prover0", "prover1", "verifier"],
        sees=dict.fromkeys(["prover0", "prover1", "verifier"], BOTH_PROVER_CHANNELS),
        writers=_debate,
        rounds=_rounds_of("debate_protocol"),
        paid_for={"prover0": 0, "prover1": 1},
    ),
    "mnip": Statement(
        agents=["prover0", "prover1", "verifier"],
        sees={
            "prover0": ["prover0_channel"],
            "prover1": ["prover1_channel"],
            "verifier": BOTH_PROVER_CHANNELS,
        },
        writers=_mnip,
        rounds=_rounds_of("mnip_protocol"),
        paid_for={"prover0": 1, "prover1": 1},
    ),
    "merlin_arthur": Statement(
        agents=["prover0", "prover1", "verifier"],
        sees={"prover0": ["main"], "prover1": ["main"], "verifier": ["main"]},
        writers=_merlin_arthur,
        rounds=lambda _: (2, 2, 1),
        paid_for={"prover0": 0, "prover1": 1},
    ),
    "solo_verifier": Statement(
        agents=["verifier"],
        sees={"verifier": ["main"]},
        writers=_solo_verifier,
        rounds=lambda _: (2, 1, 1),
        paid_for={},
    ),
    "multi_channel_test": Statement(
        agents=["prover0", "prover1", "prover2", "verifier"],
        sees={
            "prover0": ["main", "prover0_verifier", "prover_chat"],
            "prover1": ["main", "prover_chat"],
            "prover2": ["main", "prover_chat"],
            "verifier": ["main", "prover0_verifier"],
        },
        writers=_multi_channel_test,
        rounds=lambda _: (8, 8, 2),
        paid_for={"prover0": 1, "prover1": 1, "prover2": 1},
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What one round does to one episode."""

    done: bool
    terminated: bool
    rewards: list[float]


def play_round(
    hyper_params: HyperParameters,
    *,
    y: int,
    round_: int,
    seed: int,
    decision: int,
    was_done: bool,
) -> Outcome:
    """Play one round of one episode, by the rules of step, termination and reward."""
    statement = STATEMENTS[hyper_params.interaction_protocol]
    common = hyper_params.protocol_common
    _, num_rounds, min_rounds = statement.rounds(hyper_params)
    if was_done:
        return Outcome(True, False, [0.0 for _ in statement.agents])
    if common.force_guess is not None:
        decision = {"zero": 0, "one": 1, "y": y}[common.force_guess]
    writers = {agent for agent, _ in statement.writers(hyper_params, round_, seed)}
    may_decide = "verifier" in writers
    decided = may_decide and decision != 2 and round_ >= min_rounds - 1
    terminated = not decided and round_ >= num_rounds - 1

    verifier_reward = 0.0
    if decided and decision == y:
        verifier_reward = common.verifier_reward
    elif decided:
        verifier_reward = common.verifier_incorrect_penalty
    elif terminated:
        verifier_reward = common.verifier_terminated_penalty
    elif may_decide:
        verifier_reward = common.verifier_no_guess_reward

    rewards = []
    for agent in statement.agents:
        if agent == "verifier" or common.shared_reward:
            rewards.append(verifier_reward)
        elif decided and decision == statement.paid_for[agent]:
            rewards.append(common.prover_reward)
        elif terminated:
            rewards.append(common.prover_terminated_penalty)
        else:
            rewards.append(0.0)
    return Outcome(decided, terminated, rewards)
