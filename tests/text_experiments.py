"""Small experiments with language models that use the mock API."""

import warnings
from pathlib import Path
from typing import Any

from nip.errors import NipWarning
from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.run import RunResult, run_experiment


def make_text_params(trainer: str = "pure_text_ei", **changes: Any) -> HyperParameters:
    """Return two iterations of twelve rollouts, all learnt from, tested on the tiny test split."""
    rl = {"num_iterations": 2, "rollouts_per_iteration": 12, **changes.pop("rl", {})}
    agents = {"_default": {"use_dummy_api": True, **changes.pop("every_agent", {})}}
    groups: dict[str, Any] = {
        "agents": agents,
        "rl": rl,
        "nip_protocol": {"max_message_rounds": 4},
        "text_rl": {"test_scheme": "all"},
        "pure_text_ei": {
            "rollout_selection_method": "weighted_sampling",
            "weighting_sample_size_factor": 1.0,
        },
        **changes,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        choices = {"scenario": "code_validation", "dataset": "test", "trainer": trainer}
        return HyperParameters(**{**choices, **groups})


def text_settings(runs_dir: Path, **changes: Any) -> ExperimentSettings:
    """Return settings without progress bars, with the runs in a folder."""
    return ExperimentSettings(runs_dir=runs_dir, progress=False, **changes)


def run_text_experiment(runs_dir: Path, run_id: str, **changes: Any) -> RunResult:
    """Run the small experiment."""
    return run_experiment(
        make_text_params(**changes), run_id=run_id, settings=text_settings(runs_dir)
    )
