"""How ranks that train together share the frames, the figures and the checkpoint."""

import json
from collections.abc import Collection, Mapping

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from nip.run_store import Checkpoint, RunHistory
from nip.utils.ranks import Ranks

Files = Mapping[str, Mapping[str, Tensor]]
"""Tensors of a checkpoint by file and name."""


def seed_parts(ranks: Ranks) -> tuple[str | int, ...]:
    """Return what tells the seeds of a rank from those of the others; nothing for a lone one."""
    return ("rank", ranks.rank) if ranks.size > 1 else ()


def own_rows(rows: Tensor, num_own: int, ranks: Ranks) -> Tensor:
    """Return which of some rows of the joint batch lie on this rank, as its own rows.

    Parameters
    ----------
    rows : Tensor
        Rows of the batches of all ranks, one behind the other, (row,).
    num_own : int
        Rows of the batch of each rank.
    ranks : Ranks
        This rank.
    """
    if ranks.size == 1:
        return rows
    first = ranks.rank * num_own
    return rows[(rows >= first) & (rows < first + num_own)] - first


def joint_batch(batch: TensorDictBase, ranks: Ranks) -> TensorDictBase:
    """Return the batches of all ranks, (environment, step), one behind the other."""
    if ranks.size == 1:
        return batch
    gathered = ranks.gather(dict(batch.flatten_keys("/").items()))
    joint = {name: torch.cat([each[name] for each in gathered]) for name in gathered[0]}
    size = (len(batch) * ranks.size, *batch.batch_size[1:])
    return TensorDict(joint, batch_size=size).unflatten_keys("/")


def gather_files(files: Files, own: Collection[str], ranks: Ranks) -> dict[str, dict[str, Tensor]]:
    """Return the files of a checkpoint with those in which the other ranks differ.

    Parameters
    ----------
    files : mapping
        The files of this rank.
    own : collection of str
        Which of them each rank has for itself; that of rank 1 is called ``rank_1.<file>``.
    ranks : Ranks
        This rank.
    """
    result = {file: dict(tensors) for file, tensors in files.items()}
    if ranks.size > 1:
        gathered = ranks.gather(_flat({file: files[file] for file in own if file in files}))
        for rank, tensors in enumerate(gathered[1:], start=1):
            for file, content in _by_file(tensors).items():
                result[f"rank_{rank}.{file}"] = content
    return result


def share_checkpoint(checkpoint: Checkpoint | None, ranks: Ranks) -> Checkpoint | None:
    """Return what the first rank has read, on each rank with the files that are its own."""
    if ranks.size == 1:
        return checkpoint
    known = None if checkpoint is None else [checkpoint.iteration, checkpoint.state]
    known = json.loads(ranks.share_text(json.dumps(known)))
    if known is None:
        return None
    files = _by_file(ranks.share({} if checkpoint is None else _flat(checkpoint.tensors)))
    prefix = f"rank_{ranks.rank}."
    own = {name.removeprefix(prefix): files[name] for name in files if name.startswith(prefix)}
    return Checkpoint(known[0], {**files, **own}, known[1])


def share_history(history: RunHistory, ranks: Ranks) -> None:
    """Let the history become what it is on the first rank."""
    if ranks.size == 1:
        return
    series = {name: history.values(name) for name in history.names()}
    for name, values in json.loads(ranks.share_text(json.dumps(series))).items():
        for iteration, value in values:
            history.update(iteration, {name: value})


def _flat(files: Files) -> dict[str, Tensor]:
    return {f"{file}/{name}": t for file, tensors in files.items() for name, t in tensors.items()}


def _by_file(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    files: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        file, _, name = key.partition("/")
        files.setdefault(file, {})[name] = tensor
    return files
