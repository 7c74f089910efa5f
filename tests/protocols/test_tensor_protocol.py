"""Tables on a device: shapes, types, devices, and steps that a protocol adapts."""

import pytest
import torch

from nip.protocols import ProtocolHandler, protocol_registry
from nip.protocols.builtin.nip import NipProtocol
from nip.protocols.tensor_protocol import ProtocolStep, TensorProtocol
from tests.protocols.play import (
    ACCEPT,
    DECIDED,
    DISTINCT_REWARDS,
    REJECT,
    handler_of,
    hyper_params_of,
    play,
)


def random_step_inputs(handler: ProtocolHandler, *batch: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def draw(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(high, shape, generator=generator)

    return {
        "y": draw(2, *batch),
        "round": draw(handler.num_episode_rounds, *batch),
        "seed": draw(2**16, *batch),
        "decision": draw(3, *batch, handler.num_agents),
        "done": draw(2, *batch).bool(),
    }


@pytest.mark.parametrize("protocol", protocol_registry.names())
def test_shapes_and_types(protocol: str) -> None:
    handler = handler_of(protocol)
    agents, channels = handler.num_agents, handler.num_channels
    tensor_protocol = TensorProtocol(handler)
    inputs = random_step_inputs(handler, 17)
    place = inputs["round"], inputs["seed"]
    step = tensor_protocol.step(**inputs)
    found = {
        "active": tensor_protocol.active_mask(*place),
        "may_decide": tensor_protocol.decision_mask(*place),
        "counts": tensor_protocol.counting_mask(*place),
        **step._asdict(),
    }
    assert {name: (tuple(value.shape), value.dtype) for name, value in found.items()} == {
        "active": ((17, agents, channels), torch.bool),
        "may_decide": ((17, agents), torch.bool),
        "counts": ((17, agents), torch.bool),
        "done": ((17,), torch.bool),
        "terminated": ((17,), torch.bool),
        "agent_done": ((17, agents), torch.bool),
        "reward": ((17, agents), torch.float32),
        "verdict": ((17,), torch.int64),
        "decided": ((17, agents), torch.int64),
    }


def nip_verdicts(decision: int, **changes: object) -> tuple[list[int], list[bool]]:
    """Play a round of every number of nip, prover first, with a label of 1 and minimum 4."""
    rounds = {"max_message_rounds": 6, "min_message_rounds": 4}
    common = {"verifier_first": False, **changes}
    handler = handler_of("nip", common=common, nip_protocol=rounds)
    tensor_protocol = TensorProtocol(handler)
    rounds, zeros = torch.arange(6), torch.zeros(6, dtype=torch.long)
    step = tensor_protocol.step(
        y=torch.ones(6, dtype=torch.long),
        round=rounds,
        seed=zeros,
        decision=torch.full((6, 2), decision),
        done=torch.zeros(6, dtype=torch.bool),
    )
    return step.verdict.tolist(), tensor_protocol.counting_mask(rounds, zeros)[:, 1].tolist()


def test_the_verdict_is_the_verifiers_in_its_rounds_from_the_minimum_on() -> None:
    # The verifier speaks in rounds 1, 3 and 5; round 1 is before the minimum of four rounds.
    counts = [False, False, False, True, False, True]
    assert nip_verdicts(0) == ([2, 2, 2, 0, 2, 0], counts)
    assert nip_verdicts(2) == ([2, 2, 2, 2, 2, 2], counts)


def test_a_forced_guess_is_the_verdict_and_what_the_verifier_says_makes_no_difference() -> None:
    nothing = [False] * 6
    assert nip_verdicts(0, force_guess="one") == ([2, 2, 2, 1, 2, 1], nothing)
    assert nip_verdicts(2, force_guess="zero") == ([2, 2, 2, 0, 2, 0], nothing)
    assert nip_verdicts(0, force_guess="y") == ([2, 2, 2, 1, 2, 1], nothing)


@pytest.mark.parametrize("protocol", protocol_registry.names())
def test_a_grid_of_frames_gives_the_same_as_frame_by_frame(protocol: str) -> None:
    handler = handler_of(protocol)
    tensor_protocol = TensorProtocol(handler)
    inputs = random_step_inputs(handler, 4, 5)
    grid = tensor_protocol.step(**inputs)
    flat = tensor_protocol.step(**{name: value.flatten(0, 1) for name, value in inputs.items()})
    for of_grid, of_flat in zip(grid, flat, strict=True):
        assert torch.equal(of_grid.flatten(0, 1), of_flat)


@pytest.mark.parametrize("force_guess", [None, "zero", "y"])
def test_a_step_leaves_its_inputs_alone_and_its_outputs_can_be_written_to(force_guess) -> None:
    handler = handler_of("debate", common={"force_guess": force_guess})
    tensor_protocol = TensorProtocol(handler)
    inputs = random_step_inputs(handler, 9)
    before = {name: value.clone() for name, value in inputs.items()}
    first = tensor_protocol.step(**inputs)
    kept = [value.clone() for value in first]
    for value in first:
        value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in inputs.items())
    for value, expected in zip(tensor_protocol.step(**inputs), kept, strict=True):
        assert torch.equal(value, expected)


@pytest.mark.parametrize("protocol", protocol_registry.names())
@pytest.mark.parametrize("force_guess", [None, "zero", "one", "y"])
def test_nothing_leaves_the_device(protocol: str, force_guess: str | None) -> None:
    """Tensors on "meta" have no values: reading one on the host, or mixing devices, raises."""
    handler = handler_of(protocol, common={"force_guess": force_guess})
    tensor_protocol = TensorProtocol(handler, "meta")
    inputs = {name: value.to("meta") for name, value in random_step_inputs(handler, 9).items()}
    step = tensor_protocol.step(**inputs)
    active = tensor_protocol.active_mask(inputs["round"], inputs["seed"])
    assert {value.device.type for value in (*step, active)} == {"meta"}


class WithHaste(TensorProtocol):
    """Pays the verifier less for each round that it takes."""

    def step(self, **inputs: torch.Tensor) -> ProtocolStep:
        step = super().step(**inputs)
        return step._replace(reward=step.reward - 0.25 * inputs["round"].unsqueeze(-1))


class HastyNip(NipProtocol):
    def make_tensor_protocol(self, device: torch.device | str = "cpu") -> TensorProtocol:
        return WithHaste(self, device)


def test_a_protocol_may_adapt_the_step() -> None:
    common = {**DISTINCT_REWARDS, "verifier_first": False}
    handler = HastyNip(hyper_params_of("nip", protocol_common=common))
    assert play(handler, round=1, y=1, says=ACCEPT) == (DECIDED, [0.75, 1.75])
    assert play(handler, round=5, y=0, says=REJECT) == (DECIDED, [-1.25, 0.75])
