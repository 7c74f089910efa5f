"""The first messages that an agent has sent, as features of a regression."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from tensordict import TensorDictBase
from torch import Tensor
from torch.nn import functional as F

from nip.protocols.handler import ProtocolHandler

LINEAR = "linear_message_selected"
"""Key of the action that chooses linear symbols."""


@dataclass(frozen=True)
class SentMessages:
    """First messages of one agent, one in each row."""

    planes: Float[Tensor, "row plane symbol"]
    """One-hot symbols, for each channel and position one plane; 0 where the agent did not write."""

    linear: Float[Tensor, "row feature"]
    """One-hot linear symbols; without columns if there is no linear message space."""

    datapoint_id: Int[Tensor, " row"]
    """The question."""

    y: Int[Tensor, " row"]
    """Its label."""

    def __len__(self) -> int:
        return len(self.y)


def first_messages(
    frames: TensorDictBase, protocol: ProtocolHandler, agent: str, message_key: str
) -> SentMessages:
    """Return what an agent has sent in the first round in which it may write.

    Where the episode seed decides who writes first, only the episodes in which the agent wrote in
    that round are included.

    Parameters
    ----------
    frames : TensorDictBase
        Collected frames, (frame,).
    agent : str
        Name of the agent. If it never writes, there are no messages.
    message_key : str
        Key of the action that chooses the symbols of a message.
    """
    index = protocol.agent_names.index(agent)
    rows, channels = first_turns(frames, protocol, agent)
    actions = rows["agents"]
    sent = actions["active"][:, index, channels]

    def symbols(key: str, logits: str) -> Tensor:
        chosen = actions[key][:, index, channels]
        one_hot = F.one_hot(chosen, actions[logits].shape[-1]).to(torch.get_default_dtype())
        return (one_hot * sent[..., None, None]).flatten(1, 2)

    planes = symbols(message_key, "main_message_logits")
    has_linear = LINEAR in actions.keys()
    linear = symbols(LINEAR, "linear_message_logits") if has_linear else planes[..., :0]
    return SentMessages(planes, linear.flatten(1), rows["datapoint_id"], rows["y"].squeeze(-1))


def first_turns(
    frames: TensorDictBase, protocol: ProtocolHandler, agent: str
) -> tuple[TensorDictBase, Int[Tensor, " channel"]]:
    """Return the frames, (row,), of the first round in which an agent may write, and where it may.

    Frames in which it does not write are left out.
    """
    index = protocol.agent_names.index(agent)
    writes = protocol.active[:, :, index]
    first_round = int(writes.any(axis=(0, 2)).argmax())
    channels = torch.as_tensor(writes[:, first_round].any(axis=0)).nonzero().squeeze(-1)
    active = frames["agents", "active"][:, index]
    return frames[(frames["round"] == first_round) & active.any(-1)], channels.to(active.device)
