"""Reading checkpoints and saved models of the layout before format 2.

There, tensors were grouped by file in an order of their own, and the rest of the state was divided
between ``layer`` and entries of the trainer's class. The files of rank 1 began with ``rank_1.``.
"""

from collections.abc import Mapping
from typing import Any

from nip.run_store import Checkpoint
from nip.trainers.core.context import migrated_trainer_state

_PART_NAMES = frozenset({"body", "value_body", "policy_head", "value_head", "solo_head"})
_RENAMED = {"rollouts": "collector", "order": "minibatches"}
_CALLBACK, _RANK = "callback.", "rank_"

Tensors = Mapping[str, Any]


def is_old(document: Mapping[str, Any]) -> bool:
    """Return whether the JSON document of a checkpoint is in the old layout."""
    return "format" not in document


def migrated(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the nested state dict of a checkpoint or a saved model in the old layout."""
    state: dict[str, Any] = {key: v for key, v in checkpoint.state.items() if key != "layer"}
    layer = checkpoint.state.get("layer")
    if layer is not None:
        state |= migrated_trainer_state(layer, checkpoint.iteration)
        state["learner"] = _learner(layer.get("learner"), checkpoint.tensors)
        if state["learner"] is None:
            del state["learner"]
    state["agents"] = {}
    for file, tensors in checkpoint.tensors.items():
        if file not in ("optimizer", "objective"):
            _insert(state, file, dict(tensors))
    return state


def _insert(state: dict[str, Any], file: str, tensors: dict[str, Any]) -> None:
    """Put the tensors of a file to their place in the state dict."""
    owner, _, part = file.rpartition(".")
    if file.startswith(_CALLBACK):
        state["callbacks"].setdefault(file.removeprefix(_CALLBACK), {}).update(tensors)
    elif file.startswith(_RANK) and owner:
        rank, _, own_file = file.partition(".")
        _insert(state.setdefault(rank, {}), own_file, tensors)
    elif part in _PART_NAMES and owner:
        state["agents"].setdefault(owner, {})[part] = tensors
    else:
        name = _RENAMED.get(file, file)
        state[name] = _collector(tensors) if name == "collector" else tensors


def _collector(tensors: Tensors) -> dict[str, Any]:
    """Nest the state of the environments and their data, which stood under prefixes."""
    nested: dict[str, Any] = {"state": {}, "environment": {"order": {}}}
    for name, tensor in tensors.items():
        prefix, _, key = name.partition(".")
        if name.startswith("data.order."):
            nested["environment"]["order"][name.removeprefix("data.order.")] = tensor
        elif prefix == "data" and key:
            nested["environment"][key] = tensor
        elif prefix == "state" and key:
            nested["state"][key] = tensor
        else:
            nested[name] = tensor
    return nested


def _learner(
    state: Mapping[str, Any] | None, files: Mapping[str, Tensors]
) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "num_steps": state["num_steps"],
        "optimizer": {"state": dict(files["optimizer"]), "param_groups": state["groups"]},
        "lr_scheduler": state["lr_scheduler"],
        "update_step": state["update_step"],
        "objective": dict(files.get("objective", {})),
    }
