"""Without the packages of the extra lm-local, only local models are missing."""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from nip.errors import ParameterError
from tests.fork_server import fork_server

EXTRA = ("transformers", "peft", "trl", "accelerate", "tokenizers", "datasets")
INSTALL = "pip install 'nip[lm-local]'"


class WithoutExtra:
    """Finds modules as the usual finders do, but none of the extra."""

    def __init__(self, finders: list[Any]) -> None:
        self._finders = finders

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of a module; None if it is one of the extra's, or does not exist."""
        if name.partition(".")[0] in EXTRA:
            return None
        specs = (finder.find_spec(name, path, target) for finder in self._finders)
        return next((spec for spec in specs if spec is not None), None)

    def find_distributions(self, *arguments: Any) -> Iterator[Any]:
        """Yield the metadata of packages, which a run stores."""
        for finder in self._finders:
            if hasattr(finder, "find_distributions"):
                yield from finder.find_distributions(*arguments)


def run_without_extra(folder: str) -> list[str]:
    """Rehearse an experiment, then ask for local models in all ways; return the errors."""
    from nip.language_models.chat import ModelSpec
    from nip.language_models.fine_tuning import check_fine_tuning_access
    from nip.language_models.provider_registry import check_access
    from nip.language_models.server import EndpointOptions, create_app
    from nip.run import run_experiment
    from tests.text_experiments import make_text_params, run_text_experiment, text_settings

    sys.meta_path[:] = [WithoutExtra(list(sys.meta_path))]
    assert not [name for name in EXTRA if name in sys.modules]
    assert importlib.util.find_spec("transformers") is None
    warnings.simplefilter("ignore")
    assert run_text_experiment(Path(folder), "rehearsal").metrics
    errors = []
    params = make_text_params(
        every_agent={"use_dummy_api": False, "model_provider": "local", "model_name": folder},
        fine_tuning={"backend": "local"},
    )
    tries = (
        lambda: run_experiment(params, run_id="local", settings=text_settings(Path(folder))),
        lambda: check_access(ModelSpec("local", folder)),
        lambda: check_fine_tuning_access("local", ModelSpec("local", folder)),
        lambda: create_app(EndpointOptions(brain="local", brain_file=folder)),
    )
    for attempt in tries:
        try:
            attempt()
        except ParameterError as error:
            errors.append(str(error))
    return errors


def test_all_but_local_models_works_without_the_extra(tmp_path: Path) -> None:
    ending = fork_server().call(
        "tests.language_models.test_missing_extra:run_without_extra", str(tmp_path)
    )
    assert ending.exit_code == 0, ending.stderr
    assert len(ending.result) == 4
    assert all(INSTALL in error for error in ending.result), ending.result
