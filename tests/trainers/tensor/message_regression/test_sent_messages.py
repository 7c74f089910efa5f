"""The features of a message regression are what the agent has sent, not what it has received."""

import pytest
import torch

from nip.trainers.tensor.message_regression.sent_messages import first_messages
from tests.experiments import make_params, make_trainer


def frames_of(protocol, **changes):
    """Return frames of a toy game, and its protocol."""
    trainer = make_trainer(make_params(protocol=protocol, **changes))
    trainer.setup()
    batch = trainer.complete_frames(trainer.collect_batch().reshape(-1))
    trainer.close()
    return batch, trainer.scenario_instance.protocol_handler


@pytest.mark.parametrize("verifier_first", [True, False])
def test_the_message_is_the_first_that_the_agent_sends(verifier_first) -> None:
    batch, protocol = frames_of("nip", protocol_common={"verifier_first": verifier_first})
    for index, agent in enumerate(protocol.agent_names):
        is_first = (agent == "verifier") == verifier_first
        rows = batch[batch["round"] == (0 if is_first else 1)]
        found = first_messages(batch, protocol, agent, "position_selected")
        expected = rows["agents", "position_selected"][:, index, 0, 0]
        assert len(found) == len(rows) > 0
        assert torch.equal(found.planes[:, 0].argmax(-1), expected)
        assert torch.equal(found.planes.sum(-1), torch.ones(len(rows), 1))
        assert torch.equal(found.y, rows["y"].squeeze(-1))
        assert torch.equal(found.datapoint_id, rows["datapoint_id"])
        # What it received in that round is something else.
        received = rows["message"][:, 0, 0]
        if not is_first:
            assert not torch.equal(received.argmax(-1), expected)


def test_only_episodes_in_which_the_seed_lets_it_speak() -> None:
    batch, protocol = frames_of("merlin_arthur")
    sent = [
        first_messages(batch, protocol, name, "position_selected") for name in protocol.agent_names
    ]
    assert len(sent[0]) + len(sent[1]) == len(sent[2]) == (batch["round"] == 1).sum()
    is_even = batch["seed"][batch["round"] == 0] % 2 == 0
    assert len(sent[0]) == is_even.sum()


def test_all_channels_positions_and_linear_symbols() -> None:
    batch, protocol = frames_of(
        "debate",
        message_size=2,
        include_linear_message_space=True,
        d_linear_message_space=3,
        protocol_common={"zero_knowledge": True},
    )
    of_verifier = first_messages(batch, protocol, "verifier", "position_selected")
    # Two channels with two positions each.
    assert of_verifier.planes.shape[1:] == (4, 4)
    assert of_verifier.linear.shape[1:] == (12,)
    of_prover = first_messages(batch, protocol, "prover0", "position_selected")
    # Its own channel with each of the two verifiers.
    assert of_prover.planes.shape[1:] == (4, 4)
    index = protocol.agent_names.index("prover0")
    rows = batch[(batch["round"] == 1) & batch["agents", "active"][:, index].any(-1)]
    linear = rows["agents", "linear_message_selected"][:, index, [0, 2]].flatten(1)
    written = rows["agents", "active"][:, index, [0, 2]].repeat_interleave(2, dim=1)
    found = of_prover.linear.unflatten(1, (4, 3))
    assert torch.equal(found.sum(-1).bool(), written)
    assert torch.equal(found.argmax(-1)[written], linear[written])
