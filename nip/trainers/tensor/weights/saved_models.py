"""Saved models: the weights of all agents in one folder.

A saved model is a checkpoint with the entries ``agents``, ``normalizer`` and ``history`` only.
Checkpoints of a run can be loaded like saved models.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from nip.errors import CheckpointError, ParameterError
from nip.run_store import RunHistory, read_history
from nip.run_store.checkpoints.checkpoint import read_best
from nip.run_store.checkpoints.checkpoint_files import write_checkpoint
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder, read_intact
from nip.run_store.run_id import is_run_folder
from nip.scenario_base.agent import Agent
from nip.scenario_base.combined_agents import CombinedAgents
from nip.scenario_base.normalization import ObservationNormalizer
from nip.trainers.tensor.weights.checkpointing import (
    agents_state_dict,
    checkpoint_state,
    make_checkpoint,
)
from nip.trainers.tensor.weights.state_splitting import StateDict
from nip.utils.files import flush_to_disk, make_folder


def save_model(
    folder: Path | str,
    agents: CombinedAgents,
    normalizer: ObservationNormalizer,
    history: RunHistory,
    iteration: int,
) -> None:
    """Save the weights of all agents into a folder, where an older model is replaced atomically.

    Raises
    ------
    ParameterError
        If the folder holds anything else than a saved model.
    StorageError
        If the folder cannot be made.
    """
    folder = Path(folder)
    if folder.exists() and not _is_model(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise ParameterError(
            f"A model cannot be saved to {folder}, which holds something else. Choose another "
            "folder, or empty this one."
        )
    make_folder(folder.parent)
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("saving", "replaced"))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    state = {
        "agents": agents_state_dict(agents),
        "normalizer": normalizer.state_dict(),
        "history": history.to_dict(),
    }
    write_checkpoint(new, make_checkpoint(iteration, state))
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    flush_to_disk(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def load_model(
    folder: Path | str,
    agents: CombinedAgents,
    normalizer: ObservationNormalizer,
    which: int | str | None = None,
) -> RunHistory:
    """Load a saved model into agents and normalizer; change nothing if any weight does not fit.

    Parameters
    ----------
    folder : Path or str
        A saved model, a checkpoint of a run, or the folder of a run.
    which : int or str, optional
        Checkpoint of a run: ``latest``, ``best`` or an iteration. Default: the best if one was
        marked, else the latest.

    Returns
    -------
    history : RunHistory
        The metrics up to the checkpoint; empty if they are not known.

    Raises
    ------
    CheckpointError
        If there are no such weights, or the files are damaged.
    ParameterError
        If the weights belong to other agents, or to networks of other sizes.
    """
    path = find_weights(Path(folder), which)
    checkpoint = read_intact(path)
    state = checkpoint_state(checkpoint)
    load_agents({name: agent for _, name, agent in agents}, state["agents"], path)
    normalizer.load_state_dict(state["normalizer"])
    if "history" in state:
        return RunHistory.from_dict(state["history"])
    run = path.parent.parent
    if not is_run_folder(run):
        return RunHistory()
    history = read_history(run)
    history.truncate(checkpoint.iteration)
    return history


def find_weights(folder: Path | str, which: int | str | None = None) -> Path:
    """Return the folder of a saved model or checkpoint, given that folder or one of a run.

    Raise ``CheckpointError`` if there are no weights.
    """
    folder = Path(folder)
    if is_run_folder(folder) and not _is_model(folder):
        checkpoints = CheckpointFolder(folder / "checkpoints")
        has_best = read_best(checkpoints.folder) is not None
        folder = checkpoints.find(which or ("best" if has_best else "latest"))
    if not _is_model(folder):
        raise CheckpointError(
            f"There are no saved weights in {folder}. Give a folder that save_model wrote, the "
            "folder of a run, or one of its checkpoints."
        )
    return folder


def load_agents(agents: Mapping[str, Agent], state: StateDict, source: Path) -> None:
    """Load the entry ``agents`` of a checkpoint's state into the agents of the same names.

    Raises
    ------
    ParameterError
        If any weight does not fit; the message lists all of them, and nothing is changed.
    """
    misfits = [misfit for name, agent in agents.items() for misfit in _misfits(name, agent, state)]
    if misfits:
        listing = "\n".join(f"  {misfit}" for misfit in misfits)
        raise ParameterError(
            f"The weights in {source} do not fit these agents (stored → needed):\n{listing}\n"
            "Build the agents with the parameters that the stored ones had, which the "
            "hyper_params.yaml of their run holds, or choose other weights."
        )
    for name, agent in agents.items():
        for part_name, part in agent.named_children():
            part.load_state_dict(state[name][part_name])


def _misfits(name: str, agent: Agent, state: StateDict) -> Iterator[str]:
    """Yield a message for each tensor that is missing, unknown or of another shape."""
    if name not in state:
        yield f"agent {name!r}: not among {', '.join(state)}"
        return
    for part_name, part in agent.named_children():
        if part_name not in state[name]:
            yield f"{name}.{part_name}: absent"
            continue
        stored, needed = _shapes(state[name][part_name]), _shapes(part.state_dict())
        for key in dict.fromkeys([*needed, *stored]):
            if stored.get(key) != needed.get(key):
                shapes = f"{stored.get(key, 'absent')} → {needed.get(key, 'absent')}"
                yield f"{name}.{part_name}, tensor {key}: {shapes}"


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _is_model(folder: Path) -> bool:
    return (folder / "manifest.json").is_file()
