"""Experiments with interactive protocols between learning agents."""

from typing import TYPE_CHECKING

from nip.moved_modules import MOVED
from nip.utils.deferred_compiler import DeferredCompiler
from nip.utils.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from nip.comparison import compare_runs, load_runs
    from nip.experiment_settings import ExperimentSettings
    from nip.parallel_seeds import run_parallel_seeds
    from nip.parameters import HyperParameters
    from nip.run import RunResult, prepare_experiment, run_experiment

__all__ = [
    "ExperimentSettings",
    "HyperParameters",
    "RunResult",
    "compare_runs",
    "load_runs",
    "prepare_experiment",
    "run_experiment",
    "run_parallel_seeds",
]

# ``--help`` and many errors need only a part of the package.
__getattr__ = lazy_exports(
    __name__,
    {
        "ExperimentSettings": "nip.experiment_settings",
        "HyperParameters": "nip.parameters",
        "RunResult": "nip.run",
        "compare_runs": "nip.comparison",
        "load_runs": "nip.comparison",
        "prepare_experiment": "nip.run",
        "run_experiment": "nip.run",
        "run_parallel_seeds": "nip.parallel_seeds",
    },
)
