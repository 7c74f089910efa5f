"""Information in the first message of an agent, computed from the probabilities of its symbols."""

from collections.abc import Iterator
from math import log

import torch
from jaxtyping import Float, Int
from tensordict import TensorDictBase
from torch import Tensor

from nip.protocols.handler import ProtocolHandler
from nip.trainers.tensor.message_regression.sent_messages import LINEAR, first_turns


def first_message_probabilities(
    frames: TensorDictBase, protocol: ProtocolHandler, agent: str
) -> Iterator[tuple[Float[Tensor, "row symbol"], Int[Tensor, " row"]]]:
    """Yield for each place of an agent's first message the probabilities of its symbols.

    A place is a position of a channel. The labels of the rows come along.

    Parameters
    ----------
    frames : TensorDictBase
        Collected frames, (environment, step).
    agent : str
        Name of the agent. If it never writes, nothing is yielded.
    """
    rows, channels = first_turns(frames.reshape(-1), protocol, agent)
    index = protocol.agent_names.index(agent)
    actions, y = rows["agents"], rows["y"].squeeze(-1)
    keys = ["main_message_logits"]
    keys += ["linear_message_logits"] if LINEAR in actions.keys() else []
    for key in keys:
        logits = actions[key][:, index]
        for channel in channels.tolist():
            writes = actions["active"][:, index, channel]
            for position in range(logits.shape[2]):
                yield logits[writes, channel, position].double().softmax(-1), y[writes]


def information(probabilities: Float[Tensor, "row symbol"]) -> float:
    r"""Return the mutual information of a symbol and the datapoint of its row, in bits.

    With the probabilities :math:`p_i` of the symbol about datapoint :math:`i` of :math:`n`, and
    their mean :math:`\bar p`,

    .. math:: I = \frac{n}{n - 1} \left( H(\bar p) - \frac{1}{n} \sum_i H(p_i) \right).

    Estimates from counted symbols are biased upwards, by about :math:`(m - 1)(n - 1) / 2N` nats
    with :math:`N` counts of :math:`m` symbols (Miller, "Note on the bias of information
    estimates", 1955), so that silence would look like information. The probabilities themselves are
    known here: equal ones give exactly 0. What is left is that :math:`\bar p` is the mean of a
    sample, which makes the difference too small by a factor of :math:`(n - 1) / n` to second order
    in :math:`p_i - \bar p`, as with the variance of a sample; the first factor corrects it.
    """
    count = len(probabilities)
    if count < 2:
        return 0.0
    mean = probabilities.mean(0)
    bits = (_entropy(mean) - _entropy(probabilities).mean()) / log(2)
    return float(bits.clamp_min(0.0)) * count / (count - 1)


def label_accuracy(
    probabilities: Float[Tensor, "row symbol"], y: Int[Tensor, " row"]
) -> float | None:
    r"""Return the share of labels that are told by one symbol, without anything else.

    The label of row :math:`i` is predicted from a symbol :math:`s` by the other rows, as the label
    :math:`y` with the larger product of its frequency and the mean of :math:`p_j(s)` over all rows
    :math:`j \ne i` with that label; a tie counts as a half. A row is left out of its own
    prediction, because a symbol that occurs once would tell any label. The accuracy is the mean
    over rows and symbols, weighted by :math:`p_i(s)`. None if all labels are equal.
    """
    totals = torch.stack([probabilities[y == label].sum(0) for label in (0, 1)])
    counts = torch.stack([(y == 0).sum(), (y == 1).sum()]).double().unsqueeze(-1)
    if not bool((counts > 0).all()):
        return None
    own = counts[y] * (totals[y] - probabilities) / (counts[y] - 1).clamp_min(1.0)
    difference = own - totals[1 - y]
    # Rounding of sums must not decide between labels that are equally probable.
    is_tie = difference.abs() <= 1e-9 * len(y)
    right = torch.where(is_tie, 0.5, (difference > 0).double())
    return float((probabilities * right).sum(-1).mean())


def _entropy(probabilities: Tensor) -> Tensor:
    """Return the entropies in nats, (...)."""
    return -torch.special.xlogy(probabilities, probabilities).sum(-1)
