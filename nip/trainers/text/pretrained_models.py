"""Copy the language models of a run into a folder."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from nip.errors import ParameterError
from nip.language_models.local_model.folder import FOLDER_PROVIDERS, check_folder
from nip.scenario_base.text.shared_model_group import PureTextSharedModelGroup
from nip.utils.files import make_folder


def save_pretrained_models(
    folder: Path | str, groups: Mapping[str, PureTextSharedModelGroup]
) -> None:
    """Copy the current model of each model group into a subfolder with the name of the group.

    The subfolders have the layout of the ``transformers`` library. Raise ``ParameterError``, and
    copy nothing, if a model is not local or a subfolder exists already.
    """
    sources = {}
    for name, group in groups.items():
        if group.model.provider not in FOLDER_PROVIDERS:
            raise ParameterError(
                f"The model {group.model_name!r} of {', '.join(group.agent_names)} cannot be "
                f"saved: its weights are with the provider {group.model.provider!r}, only those "
                "of model_provider='local' and 'vllm' are on this machine. Use it there by its "
                "name."
            )
        if (Path(folder) / name).exists():
            raise ParameterError(
                f"{Path(folder) / name} exists already. Choose another folder, or remove it."
            )
        sources[name] = check_folder(group.model_name)
    make_folder(folder)
    for name, source in sources.items():
        # Renamed when complete, so that an interrupted copy is never taken for a model.
        unfinished = Path(folder) / f".{name}.saving"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source, unfinished)
        unfinished.rename(Path(folder) / name)
