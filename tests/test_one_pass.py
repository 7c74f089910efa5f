"""A command line is composed, checked and built once on its way to a run."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import nip.command_line.composition
import nip.experiment.checked
import nip.experiment.checks
import nip.factory
import nip.parameters.tree.hyper_parameters
import nip.trainers.registry
from nip.parameters import HyperParameters
from nip.protocols import ProtocolHandler
from tests.command_line_process import call_command_line

SEED = 77
TOY = ["scenario=toy", "dataset=witness", "trainer=vanilla_ppo", "rl.num_iterations=1"]
TOY += ["rl.frames_per_batch=32", "rl.minibatch_size=16", "rl.num_test_iterations=1"]
TOY += ["rl.num_normalization_steps=16"]
TEXT = ["experiment=cv_nip_ei_rehearsal", "rl.num_iterations=1", "rl.rollouts_per_iteration=2"]
TEXT += ["text_rl.test_scheme=none"]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the steps of a run."""
    counts: Counter[str] = Counter()

    def count(owner: Any, name: str, label: str) -> None:
        original = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            counts[label] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    count(nip.command_line.composition, "compose", "Hydra composes the YAML files")
    count(
        HyperParameters,
        "find_problems",
        "hyper-parameters are built and validated",
    )
    count(
        nip.parameters.tree.hyper_parameters,
        "unused_options",
        "unused options are searched",
    )
    count(nip.experiment.checked, "apply_base_run", "a base run is applied")
    count(nip.experiment.checked, "apply_agent_checkpoints", "loaded agents are applied")
    count(nip.experiment.checks, "check_experiment", "the experiment is checked")
    count(
        ProtocolHandler,
        "__init__",
        "the protocol is compiled",
    )
    count(nip.factory, "build_scenario_instance", "the scenario instance is built")
    count(nip.trainers.registry, "build_trainer", "the trainer is built")
    return counts


@pytest.mark.parametrize("arguments", [TOY, TEXT], ids=["networks", "language models"])
@pytest.mark.parametrize("dry_run", [False, True], ids=["run", "dry run"])
def test_a_command_line_does_every_step_once(
    arguments: list[str], dry_run: bool, counts: Counter[str], working_folder: Path
) -> None:
    own = [f"seed={SEED}", "run_id=once", f"dry_run={str(dry_run).lower()}"]
    outcome = call_command_line([*arguments, *own, "settings.progress=false"])
    assert outcome.exit_code == 0, outcome.stderr
    assert len(counts) == 9
    assert set(counts.values()) == {1}, counts
    assert (working_folder / "runs" / "once").exists() is not dry_run


@pytest.mark.whole_run
def test_a_sweep_checks_each_job_once(counts: Counter[str], working_folder: Path) -> None:
    own = [f"seed={SEED}", "run_id=grid", "rl.gamma=0.5,0.6", "--multirun"]
    outcome = call_command_line([*TOY, *own, "settings.progress=false"])
    assert outcome.exit_code == 0, outcome.stderr
    assert set(counts.values()) == {2}, counts
    assert len(list((working_folder / "runs").glob("grid-gamma-*"))) == 2
