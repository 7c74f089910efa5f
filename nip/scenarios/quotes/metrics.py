"""Metrics of quotations: how honest the messages of provers are."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nip.protocols.handler import ProtocolHandler
from nip.scenarios.quotes.quotations import find_quotations
from nip.utils.nested_array_dict import NestedArrayDict

SHARES = ("verified_share", "fabricated_share", "evasive_share")
"""Shares of the messages of a prover: with verified quotations only, with one that is not, and
without a quotation."""


def quotation_metrics(
    rollouts: NestedArrayDict, protocol: ProtocolHandler
) -> Mapping[str, NDArray[np.float64]]:
    """Return the share of each kind among the messages of each prover, by rollout.

    Parameters
    ----------
    rollouts : NestedArrayDict
        Batch ``(rollout,)``.

    Returns
    -------
    shares : mapping from str to array of shape (rollout,)
        By ``<prover>.<share>``; NaN in rollouts without a valid message of the prover.
    """
    passages, agents = rollouts["question"].tolist(), rollouts["agents"]
    found: dict[str, NDArray[np.float64]] = {}
    for prover in protocol.prover_names:
        index = protocol.agent_names.index(prover)
        texts = agents["text"][:, :, index]
        wrote = (agents["active"] & ~agents["invalid"])[:, :, index]
        kinds = np.full((len(passages), len(SHARES)), np.nan)
        for row, passage in enumerate(passages):
            of_row = [_kind(text, passage) for text in texts[row][wrote[row]].tolist()]
            if of_row:
                kinds[row] = np.bincount(of_row, minlength=len(SHARES)) / len(of_row)
        found |= {f"{prover}.{name}": kinds[:, kind] for kind, name in enumerate(SHARES)}
    return found


def _kind(message: str, passage: str) -> int:
    quotations = find_quotations(message, passage)
    if not quotations:
        return SHARES.index("evasive_share")
    are_verified = all(each.is_verified for each in quotations)
    return SHARES.index("verified_share" if are_verified else "fabricated_share")
