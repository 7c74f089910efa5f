"""The language models that speak for agents, copied out of a run."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from nip.errors import ParameterError
from nip.language_models.local_model.folder import check_folder
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup

LOCAL_PROVIDER = "local"
"""The provider whose models lie in folders on this machine."""


def save_pretrained_models(
    folder: Path | str, groups: Mapping[str, PureTextSharedModelGroup]
) -> None:
    """Copy the present model of each group of agents into a folder with the name of the group.

    Parameters
    ----------
    folder : Path or str
        Where the folders are made, in the layout of the ``transformers`` library.
    groups : mapping from str to PureTextSharedModelGroup
        The models by the names of the groups.

    Raises
    ------
    ParameterError
        If a model is not on this machine, or its folder is there already; then nothing is copied.
    """
    sources = {}
    for name, group in groups.items():
        if group.model.provider != LOCAL_PROVIDER:
            raise ParameterError(
                f"The model {group.model_name!r} of {', '.join(group.agent_names)} cannot be "
                f"saved: its weights are with the provider {group.model.provider!r}, only those "
                "of model_provider='local' are on this machine. Ask for it there by this name."
            )
        if (Path(folder) / name).exists():
            raise ParameterError(
                f"{Path(folder) / name} exists already. Choose another folder, or remove it."
            )
        sources[name] = check_folder(group.model_name)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        unfinished = Path(folder) / f".{name}.saving"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source, unfinished)
        unfinished.rename(Path(folder) / name)
