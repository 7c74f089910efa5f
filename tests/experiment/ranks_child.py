"""What each of two ranks does in ``test_rank_agreement.py``."""

from typing import Any

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run import run_experiment
from nip.scenario_instance import TensorDictScenarioInstance
from nip.utils.ranks import launched_ranks


def run_differently(job: dict[str, Any]) -> str:
    """Start a run in which the second rank makes some changes; return the error."""
    is_second = launched_ranks().rank == 1
    changes = job["changes"] if is_second else {}
    hyper_params = HyperParameters.from_dict(job["parameters"]).with_changes(changes)
    settings = ExperimentSettings(runs_dir=job["folder"], progress=False)
    if is_second and job["data"]:
        TensorDictScenarioInstance.digests = lambda _: {"train dataset": "another"}
    try:
        run_experiment(hyper_params, run_id="r", settings=settings)
    except ParameterError as error:
        return str(error)
    return "no error"
