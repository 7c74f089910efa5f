"""Those that only look on: they agree with one another, and change no number."""

import subprocess
import sys

import pytest
from safetensors.torch import load_file

from nip.parameters.callbacks import callback_specs
from nip.run import run_experiment
from nip.run_store.database import RunDatabase
from nip.trainers.core.callback_registry import callback_registry
from tests.experiments import make_params, make_settings, same_tensors
from tests.trainers.callbacks import test_csv, test_tensorboard

OBSERVERS = [
    "csv",
    "tensorboard",
    {"name": "wandb", "mode": "offline"},
    {"name": "rollout_samples", "every": 1, "num_rollouts": 2},
    {"name": "attack", "every": 1, "num_iterations": 1, "max_datapoints": 4},
    {"name": "profiler", "wait": 0, "warmup": 1, "active": 2},
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run one experiment without and with all observers; return both folders."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
            patch.setenv(variable, str(folder / variable))
        patch.setenv("WANDB_SILENT", "true")
        found = []
        for name, callbacks in {"without": [], "with": OBSERVERS}.items():
            params = make_params(
                protocol="nip", rl={"num_iterations": 3}, eval_every=2, callbacks=callbacks
            )
            result = run_experiment(params, run_id=name, settings=make_settings(folder))
            found.append(result.folder)
        import wandb

        wandb.teardown()
    return found


def history_of(folder):
    database = RunDatabase(folder / "run.db")
    try:
        history = database.load_history()
        return {name: history.values(name) for name in history.names()}
    finally:
        database.close()


def test_all_observers_are_looked_at_here():
    observers = {name for name, facts in callback_specs.items() if facts.is_observer}
    assert {entry if isinstance(entry, str) else entry["name"] for entry in OBSERVERS} == observers
    assert {name for name, cls in callback_registry.items() if cls.is_observer} == observers


def test_metrics_and_weights_are_bit_identical_with_and_without_them(runs):
    without, observed = runs
    found = history_of(observed)
    # An attack logs metrics of its own, in each iteration.
    own = {name: found.pop(name) for name in list(found) if name.startswith("attack_")}
    assert {"attack_accuracy", "attack_soundness"} <= own.keys()
    assert {len(values) for values in own.values()} == {3}
    assert history_of(without) == found
    checkpoints = [folder / "checkpoints" / "iteration_000003" for folder in runs]
    files = [sorted(path.relative_to(c) for path in c.rglob("*.safetensors")) for c in checkpoints]
    assert files[0] == files[1] != []
    for file in files[0]:
        first, second = (load_file(checkpoint / file) for checkpoint in checkpoints)
        assert same_tensors(first, second), file


def test_the_loggers_agree_with_the_history_and_their_steps_strictly_increase(runs):
    from tests.trainers.callbacks.wandb_file import read_history

    folder = runs[1]
    history = history_of(folder)
    assert history["test_mean_accuracy"][-1][0] == 3
    header, *rows = test_csv.read(folder)
    table = {
        name: [(int(row[0]), float(row[column])) for row in rows if row[column]]
        for column, name in enumerate(header)
        if column
    }
    assert table == history
    scalars = test_tensorboard.read(folder)
    assert scalars.keys() == history.keys()
    for name, values in scalars.items():
        assert values == [(step, pytest.approx(value, rel=1e-6)) for step, value in history[name]]
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    logged = read_history(path)
    steps = [row["_step"] for row in logged]
    assert steps == sorted(set(steps))
    assert {
        name: [(row["_step"], row[name]) for row in logged if name in row] for name in history
    } == history


def test_the_other_files_are_there(runs):
    folder = runs[1]
    assert len(list((folder / "rollouts").glob("*.yaml"))) == 3
    assert [path.name for path in (folder / "profile").iterdir() if path.suffix == ".json"] == [
        "trace_000002.json"
    ]


def test_nothing_heavy_is_imported_before_a_callback_that_needs_it_starts():
    script = """
import sys
from nip.parameters.callbacks import callback_specs
from nip.trainers.core.callback_registry import build_callback
for name, facts in callback_specs.items():
    options = {"agents": ("a", "b")} if name == "average_agent_weights" else {}
    build_callback(facts.parameters(**options))
print(sorted({"torch", "tensorboard", "wandb", "tensordict"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
