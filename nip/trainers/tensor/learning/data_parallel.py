"""Sharing frames, states and the history between ranks that train together."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.run_store import RunHistory
from nip.trainers.tensor.weights.state_splitting import Files, StateDict, join_state, split_state
from nip.utils.ranks import Ranks

_DOCUMENT = "document"


def seed_parts(ranks: Ranks) -> tuple[str | int, ...]:
    """Return the parts that make the seeds of a rank its own; none without other ranks."""
    return ("rank", ranks.rank) if ranks.size > 1 else ()


def own_rows(rows: Tensor, num_own: int, ranks: Ranks) -> Tensor:
    """Return which rows of the joint batch lie on this rank, as indices of its own batch.

    ``rows``, (row,), index the concatenated batches of all ranks, with ``num_own`` rows each.
    """
    if ranks.size == 1:
        return rows
    first = ranks.rank * num_own
    return rows[(rows >= first) & (rows < first + num_own)] - first


def joint_batch(batch: TensorDictBase, ranks: Ranks) -> TensorDictBase:
    """Return the batches of all ranks, (environment, step), concatenated."""
    if ranks.size == 1:
        return batch
    gathered = ranks.gather(dict(batch.flatten_keys("/").items()))
    joint = {name: torch.cat([each[name] for each in gathered]) for name in gathered[0]}
    size = (len(batch) * ranks.size, *batch.batch_size[1:])
    return TensorDict(joint, batch_size=size).unflatten_keys("/")


def gather_state(state: StateDict, own: Collection[str], ranks: Ranks) -> dict[str, Any]:
    """Return a state dict together with its entries ``own``, which differ, of the other ranks.

    Those of rank 1 are added as ``rank_1``, and so on.
    """
    if ranks.size == 1:
        return dict(state)
    gathered = ranks.gather(_packed({name: state[name] for name in own if name in state}))
    others = {f"rank_{rank}": _unpacked(each) for rank, each in enumerate(gathered) if rank > 0}
    return {**state, **others}


def share_state(state: StateDict | None, ranks: Ranks) -> dict[str, Any] | None:
    """Return the state dict of the first rank, which may be None, on all ranks."""
    if ranks.size == 1:
        return None if state is None else dict(state)
    shared: dict[str, Any] = _unpacked(ranks.share(_packed({} if state is None else state)))
    return shared or None


def share_history(history: RunHistory, ranks: Ranks) -> None:
    """Copy the history of the first rank to the others."""
    if ranks.size == 1:
        return
    series = {name: history.values(name) for name in history.names()}
    for name, values in json.loads(ranks.share_text(json.dumps(series))).items():
        for iteration, value in values:
            history.update(iteration, {name: value})


def _packed(state: StateDict) -> dict[str, Tensor]:
    """Return a state dict as a flat mapping of tensors, which ranks can exchange."""
    files, document = split_state(state)
    encoded = torch.tensor(list(json.dumps(document).encode()), dtype=torch.uint8)
    flat = {f"{file}/{name}": t for file, tensors in files.items() for name, t in tensors.items()}
    return {_DOCUMENT: encoded, **flat}


def _unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the state dict that ``_packed`` was given."""
    files: Files = {}
    for key, tensor in tensors.items():
        file, _, name = key.partition("/")
        if key != _DOCUMENT:
            files.setdefault(file, {})[name] = tensor
    return join_state(files, json.loads(bytes(tensors[_DOCUMENT].tolist())))
