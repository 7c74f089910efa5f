"""Rewards for imitation, against numbers worked by hand."""

from math import log, sqrt

import pytest
import torch

from nip.scenario_base.agents import ILLEGAL_LOGIT
from nip.scenario_base.imitation import Policy, similarity
from tests.experiments import make_instance, make_params

DISTANCES = ("kl", "total_variation", "cosine")
ADP = ("prover", "verifier", "adversarial_verifier", "simulator")


def policy(symbols: list[float], decision: list[float]) -> Policy:
    """Return a policy of one channel and position, given probabilities."""
    messages = torch.tensor(symbols).log().clamp_min(ILLEGAL_LOGIT).view(1, 1, 1, -1)
    return Policy((messages,), torch.tensor([decision]).log().clamp_min(ILLEGAL_LOGIT))


def alike(first: Policy, second: Policy, distance: str, written=True, decides=True) -> float:
    mask = torch.tensor([[written]]), torch.tensor([decides])
    return similarity(first, second, *mask, distance).item()


# The model is sure of the second of three symbols and accepts; the imitator has 1/4, 1/2, 1/4, and
# accepts or rejects alike.
MODEL = policy([0.0, 1.0, 0.0], [0.0, 1.0, 0.0])
IMITATOR = policy([0.25, 0.5, 0.25], [0.5, 0.5, 0.0])
WORKED = {
    "kl": (-log(2), -log(2)),
    # Half of the sum of 1/4, 1/2 and 1/4 is 1/2, and so is half of 1/2 and 1/2.
    "total_variation": (0.5, 0.5),
    # 1/2 over the length of (1/4, 1/2, 1/4), and of (1/2, 1/2).
    "cosine": (0.5 / sqrt(0.375), 1 / sqrt(2)),
}


@pytest.mark.parametrize("distance", DISTANCES)
def test_similarity_of_messages_and_decisions(distance) -> None:
    message, decision = WORKED[distance]
    assert alike(MODEL, IMITATOR, distance) == pytest.approx(message + decision, rel=1e-6)
    assert alike(MODEL, IMITATOR, distance, decides=False) == pytest.approx(message, rel=1e-6)
    assert alike(MODEL, IMITATOR, distance, written=False) == pytest.approx(decision, rel=1e-6)
    assert alike(MODEL, IMITATOR, distance, written=False, decides=False) == 0


@pytest.mark.parametrize(("distance", "most"), [("kl", 0), ("total_variation", 2), ("cosine", 2)])
def test_equal_policies_have_the_maximum(distance, most) -> None:
    for one in (MODEL, IMITATOR, policy([0.3, 0.3, 0.4], [0.2, 0.3, 0.5])):
        assert alike(one, one, distance) == pytest.approx(most, abs=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_illegal_symbols_make_no_policies_alike(distance) -> None:
    # The reference compared logits, of which those of padding dominated: the cosine was 1.
    padded_model = policy([0.0, 1.0, 0.0, *[0.0] * 20], [0.0, 1.0, 0.0])
    padded_imitator = policy([0.25, 0.5, 0.25, *[0.0] * 20], [0.5, 0.5, 0.0])
    found = alike(padded_model, padded_imitator, distance)
    assert found == pytest.approx(sum(WORKED[distance]), rel=1e-6)


def test_policies_with_nothing_in_common_are_finite_and_have_finite_gradients() -> None:
    logits = torch.tensor([[[[0.0, ILLEGAL_LOGIT]]], [[[ILLEGAL_LOGIT, 0.0]]]], requires_grad=True)
    decision = torch.zeros(1, 3)
    model, imitator = (Policy((each[None].log_softmax(-1),), decision) for each in logits)
    found = similarity(model, imitator, torch.tensor([[True]]), torch.tensor([False]), "kl")
    found.sum().backward()
    assert found.item() == pytest.approx(-20)
    assert logits.grad.isfinite().all()


def test_several_symbols() -> None:
    """Two positions, one with the difference of the worked example and one with none."""
    first = Policy((torch.cat([MODEL.messages[0], IMITATOR.messages[0]], 2),), MODEL.decision)
    second = Policy((torch.cat([IMITATOR.messages[0]] * 2, 2),), MODEL.decision)
    expected = {
        "kl": -log(2) + 0,
        "total_variation": (0.5 + 1) / 2 + 1,
        # (1/2 + 3/8) over the lengths of the vectors of both positions.
        "cosine": 0.875 / sqrt((1 + 0.375) * (2 * 0.375)) + 1,
    }
    for distance in DISTANCES:
        assert alike(first, second, distance) == pytest.approx(expected[distance], rel=1e-6)


# ---- in the environment


def environment_of(**zk):
    params = make_params(
        protocol_common={"zero_knowledge": True}, zk_protocol={"distance": "cosine", **zk}
    )
    return make_instance(params).train_environment


def actions_of(environment, state, chosen=None):
    actions = environment.random_actions(torch.Generator().manual_seed(0))
    actions["decision"].fill_(2)
    for name, (symbol, decision) in (chosen or {}).items():
        index = ADP.index(name)
        actions["position_selected"][:, index] = symbol
        actions["decision"][:, index] = decision
    return actions


@pytest.mark.parametrize(
    ("simulator", "expected"), [((3, 1), 2.0), ((2, 1), 1.0), ((3, 0), 1.0), ((2, 2), 0.0)]
)
def test_rewards_of_all_agents_for_certain_actions(simulator, expected) -> None:
    environment = environment_of(
        simulator_reward_coefficient=3.0, aux_prover_reward_coefficient=0.5
    )
    state = environment.initial_state()
    first = environment.advance(state, actions_of(environment, state))
    assert first.reward.tolist() == [[0.0] * 4] * 4
    second = environment.advance(
        first.state,
        actions_of(
            environment,
            first.state,
            {"verifier": (0, 2), "adversarial_verifier": (3, 1), "simulator": simulator},
        ),
    )
    share = 3 * expected
    # The verifier has not decided in the last round: -1.
    assert second.reward.tolist() == [[0.5 * share, -1.0, -share, share]] * 4


def test_probabilities_are_compared_rather_than_the_actions_that_were_drawn() -> None:
    environment = environment_of()
    state = environment.initial_state()
    state = environment.advance(state, actions_of(environment, state)).state
    actions = actions_of(environment, state, {"adversarial_verifier": (3, 1), "simulator": (2, 0)})
    actions["main_message_logits"] = torch.zeros(4, 4, 3, 1, 4)
    actions["decision_logits"] = torch.zeros(4, 4, 3)
    assert environment.advance(state, actions).reward[:, 3].tolist() == pytest.approx([2.0] * 4)


def test_stored_actions_are_not_written_into() -> None:
    environment = environment_of()
    state = environment.initial_state()
    for _ in range(2):
        actions = actions_of(environment, state)
        actions["main_message_logits"] = torch.randn(4, 4, 3, 1, 4)
        actions["decision_logits"] = torch.randn(4, 4, 3)
        before = {name: value.clone() for name, value in actions.items()}
        state = environment.advance(state, actions).state
        assert all(torch.equal(actions[name], before[name]) for name in before)


def test_nothing_is_compared_after_the_decision_of_the_adversarial_verifier() -> None:
    params = make_params(protocol="nip", protocol_common={"zero_knowledge": True})
    environment = make_instance(params).train_environment
    state = environment.initial_state()
    rewards = []
    for round_ in range(4):
        accepts = {"adversarial_verifier": (3, 1 if round_ == 0 else 2), "simulator": (2, 0)}
        transition = environment.advance(state, actions_of(environment, state, accepts))
        rewards.append(transition.reward[0, 3].item())
        state = transition.state
    # Twenty for the symbol and as much for the decision, in the first round alone.
    assert rewards == [pytest.approx(-40), 0, 0, 0]
    assert transition.done.all() and transition.terminated.all()


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_perfect_simulator_has_the_maximum_and_one_of_a_prover_that_leaks_has_not(
    distance,
) -> None:
    """The prover names the label, or always the same position; the adversary repeats it.

    The simulator knows the label in the first case and nothing in the second, and so can repeat
    what was said, or knows nothing in the first.
    """
    environment = environment_of(distance=distance)
    best = {"kl": 0.0, "total_variation": 2.0, "cosine": 2.0}[distance]

    def reward(says, simulates) -> float:
        state = environment.state_of(range(8))
        y = state["y"].squeeze(-1)
        state = environment.advance(state, blank(environment, y * 0, says(y), 0)).state
        heard = state["message"][:, 1, 0].argmax(-1)
        transition = environment.advance(state, blank(environment, heard, 0, simulates(y)))
        return transition.reward[:, 3].mean().item()

    def blank(environment, heard, said, simulated):
        actions = environment.random_actions(torch.Generator().manual_seed(0), 8)
        actions["decision"].fill_(2)
        symbols = actions["position_selected"]
        symbols[:, 0] = torch.as_tensor(said).expand(8)[:, None, None]
        symbols[:, 2] = heard[:, None, None]
        symbols[:, 3] = torch.as_tensor(simulated).expand(8)[:, None, None]
        return actions

    silent, telling = (lambda y: 0 * y + 1), (lambda y: y)
    assert reward(silent, silent) == pytest.approx(best)
    assert reward(telling, telling) == pytest.approx(best)
    assert reward(telling, silent) < best - 0.4
