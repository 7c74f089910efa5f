"""Two processes learn what one would learn from the same frames, and leave one set of files."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tensordict import TensorDict

from nip.command_line.application import check_arguments
from nip.errors import ResumeError
from nip.parameters import HyperParameters
from nip.run import run_experiment
from nip.run_store import Checkpoint, read_history
from nip.run_store.checkpoints.checkpoint_folder import CheckpointFolder
from nip.trainers.core.components import TrainerComponents
from nip.trainers.registry import build_trainer
from tests.command_line_process import SCRIPT, start_command_line
from tests.experiments import make_instance, make_params, make_settings, tiny_graph_agent
from tests.fork_server import fork_server
from tests.forked_ranks import KILLED, Ending, run_on_ranks
from tests.trainers.probing_trainer import ProbingTrainer, register

CHILD = "tests.end_to_end.parallel_child"
NUM_ITERATIONS = 4
SMALL_MINIBATCHES = {"minibatch_size": 2}


def graphs(trainer: str = "vanilla_ppo", agent: dict | None = None, **changes: Any):
    """Return an experiment with networks of every kind, by default without batch norm."""
    params = tiny_graph_agent(**{"use_batch_norm": False, **(agent or {})})
    return make_params("graph_isomorphism", trainer, "nip", agents={"_default": params}, **changes)


def experiments() -> dict[str, HyperParameters]:
    """Return what two ranks must do as one process does.

    Ranks add gradients in another order. Divided by a tiny second moment, the rounding of a
    gradient that is nearly 0 would become a whole step of Adam; a larger epsilon keeps it below
    ``lr · rounding / eps``, some 1e-6.
    """
    adam = {"optimizer": {"eps": 1e-4}}
    return {
        "ppo": make_params(trainer="vanilla_ppo", rl=SMALL_MINIBATCHES, **adam),
        "ppo_kl": make_params(ppo={"loss_type": "kl_penalty"}, protocol="nip", **adam),
        "reinforce": make_params(trainer="reinforce", rl=SMALL_MINIBATCHES, **adam),
        "critic": make_params(
            trainer="reinforce",
            reinforce={"use_advantage_and_critic": True},
            protocol="debate",
            **adam,
        ),
        "shaping": make_params(trainer="spg", protocol="nip", rl=SMALL_MINIBATCHES, **adam),
        "best_response": make_params(
            trainer="spg", spg={"variant": "spg"}, protocol="debate", **adam
        ),
        "graphs": graphs(**adam),
        "accumulation": graphs(update_step={"num_accumulation_steps": 3}, **adam),
        "loss_term": make_params(loss_terms=[{"name": "l2", "weight": 0.1}], **adam),
        "pretrained": make_params(pretrain_agents=True, **adam),
        "solo": graphs("solo_agent", **adam),
    }


def noisy() -> HyperParameters:
    """Return an experiment in which the ranks draw and count much that differs."""
    agent = {"use_batch_norm": True, "transformer_dropout": 0.2, "noise_sigma": 0.1}
    return graphs(
        agent=agent,
        eval_every=2,
        rl={"num_iterations": NUM_ITERATIONS, "steps_per_env_per_iteration": 3},
        nip_protocol={"max_message_rounds": 4, "min_message_rounds": 3},
    )


@dataclass(frozen=True)
class Outcome:
    """Files and return values of two ranks."""

    folder: Path
    endings: dict[str, list[Ending]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Outcome:
    """Run all jobs of two ranks that the tests below compare."""
    folder = tmp_path_factory.mktemp("ranks")
    jobs: dict[str, tuple[str, Any]] = {}
    for name, parameters in {**experiments(), "noisy": noisy()}.items():
        (folder / name).mkdir()
        job = {"folder": str(folder / name), "data_dir": str(data_dir)}
        jobs[name] = (f"{CHILD}:one_iteration", {**job, "parameters": parameters.to_dict()})

    def run(run_id: str, parameters: HyperParameters, dies_at: int | None = None) -> dict:
        settings = make_settings(folder / "runs", data_dir).to_dict()
        tree = parameters.to_dict()
        return {
            "run_id": run_id,
            "parameters": tree,
            "settings": settings,
            "dies_at_checkpoint": dies_at,
        }

    jobs |= {
        "undisturbed": (f"{CHILD}:whole_run", run("undisturbed", noisy())),
        "killed": (f"{CHILD}:whole_run", run("disturbed", noisy(), dies_at=2)),
        "resumed": (f"{CHILD}:whole_run", run("disturbed", noisy())),
        "again": (f"{CHILD}:whole_run", run("disturbed", noisy())),
        "begun": (f"{CHILD}:whole_run", run("begun", make_params(), dies_at=1)),
    }
    stopping = {"on_non_finite": "stop"}
    long = make_params(rl={"num_iterations": 9}, update_step=stopping).to_dict()
    for name in ("wishes_of_one_rank", "a_loss_breaks_on_one_rank"):
        jobs[name] = (f"{CHILD}:{name}", {"folder": str(folder), "parameters": long})
    endings = run_on_ranks(*jobs.values())
    return Outcome(folder, dict(zip(jobs, endings, strict=True)))


def weights_of(outcome: Outcome, name: str, rank: int) -> dict[str, torch.Tensor]:
    return load_file(outcome.folder / name / f"weights_{rank}.safetensors")


class Replay:
    """A collector that returns a given batch."""

    def __init__(self, batch: TensorDict) -> None:
        self.batch = batch

    def collect(self) -> TensorDict:
        return self.batch


def joint_batch(outcome: Outcome, name: str) -> TensorDict:
    """Concatenate the batches of both ranks."""
    parts = [load_file(outcome.folder / name / f"batch_{rank}.safetensors") for rank in (0, 1)]
    joint = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return TensorDict(joint, batch_size=next(iter(joint.values())).shape[:2]).unflatten_keys("/")


@pytest.mark.parametrize("name", [*experiments(), "noisy"])
def test_both_ranks_have_the_same_weights_and_metrics(name, outcome):
    first, second = (weights_of(outcome, name, rank) for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert [each.exit_code for each in outcome.endings[name]] == [0, 0]
    assert outcome.endings[name][0].result == outcome.endings[name][1].result


@pytest.mark.parametrize("name", experiments())
def test_two_ranks_learn_what_one_process_learns_from_the_same_frames(
    name, outcome, data_dir, tmp_path
):
    hyper_params = experiments()[name]
    settings = make_settings(tmp_path, data_dir)
    instance = make_instance(hyper_params, data_dir)
    components = TrainerComponents()
    if hyper_params.trainer != "solo_agent":
        components = TrainerComponents(data=lambda _: Replay(joint_batch(outcome, name)))
    before = {key: value.clone() for key, value in instance.agents.state_dict().items()}
    trainer = build_trainer(hyper_params, instance, settings, components=components)
    trainer.setup()
    metrics = trainer.train_iteration()
    trainer.close()
    after = instance.agents.state_dict()
    assert any(not torch.allclose(after[key], before[key], atol=1e-4) for key in after)
    for key, value in weights_of(outcome, name, 0).items():
        torch.testing.assert_close(value, after[key], rtol=0, atol=2e-5, msg=key)
    assert outcome.endings[name][0].result == pytest.approx(metrics, abs=1e-4)


def test_each_rank_plays_episodes_of_its_own(outcome):
    batch = joint_batch(outcome, "noisy")
    half = len(batch) // 2
    assert len(batch) == noisy().rl.rollouts_per_iteration
    assert not torch.equal(batch["seed"][:half], batch["seed"][half:])
    assert not torch.equal(
        batch["agents", "decision_logits"][:half], batch["agents", "decision_logits"][half:]
    )


def test_what_one_rank_asks_for_all_do(outcome):
    for ending in outcome.endings["wishes_of_one_rank"]:
        # The test at the end belongs to the iteration that would have come next.
        assert ending.result == [[2, 5], [2, 4]]


def test_a_loss_that_breaks_on_one_rank_stops_all_by_its_name(outcome):
    for ending in outcome.endings["a_loss_breaks_on_one_rank"]:
        assert ending.result == "loss_fragile became nan in iteration 2"


def last_checkpoint(outcome: Outcome, run_id: str) -> Checkpoint:
    checkpoint = CheckpointFolder(outcome.folder / "runs" / run_id / "checkpoints").load_latest()
    assert checkpoint is not None
    return checkpoint


def test_a_killed_run_of_two_ranks_goes_on_to_the_same_numbers(outcome):
    killed = outcome.endings["killed"]
    assert [each.exit_code for each in killed] == [KILLED, 1]
    for name in ("undisturbed", "resumed", "again"):
        assert [each.exit_code for each in outcome.endings[name]] == [0, 0]
    before, after = (last_checkpoint(outcome, run) for run in ("undisturbed", "disturbed"))
    assert before.iteration == after.iteration == NUM_ITERATIONS
    assert before.state == after.state
    assert before.tensors.keys() == after.tensors.keys()
    for file, tensors in before.tensors.items():
        for key, value in tensors.items():
            assert torch.equal(value, after.tensors[file][key]), f"{file}: {key}"
    histories = [
        read_history(outcome.folder / "runs" / run) for run in ("undisturbed", "disturbed")
    ]
    assert histories[0].names() == histories[1].names()
    for name in histories[0].names():
        assert histories[0].values(name) == histories[1].values(name)


def test_the_first_rank_writes_the_files_and_all_know_the_result(outcome):
    first, second = (each.result for each in outcome.endings["undisturbed"])
    assert first == second
    assert first["metrics"]["test_mean_accuracy"] >= 0
    assert outcome.endings["again"][1].result["metrics"] == first["metrics"]
    folder = outcome.folder / "runs"
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "begun",
        "disturbed",
        "undisturbed",
    ]
    checkpoint = last_checkpoint(outcome, "undisturbed")
    assert {"collector", "rank_1.collector", "generators", "rank_1.generators"} <= set(
        checkpoint.tensors
    )
    starts = json.loads((folder / "undisturbed" / "environment.json").read_text())
    assert len(starts["starts"]) == 1


def test_a_run_of_two_ranks_does_not_go_on_with_one(outcome, data_dir):
    before = read_history(outcome.folder / "runs" / "begun").latest_all()
    settings = make_settings(outcome.folder / "runs", data_dir)
    with pytest.raises(ResumeError, match=r"started with 2 .* with 1, .*--nproc_per_node 2"):
        run_experiment(make_params(), run_id="begun", settings=settings)
    assert read_history(outcome.folder / "runs" / "begun").latest_all() == before


TORCHRUN = ("--standalone", "--nproc_per_node", "2")
TOY = (
    *("scenario=toy", "dataset=witness", "trainer=vanilla_ppo", "interaction_protocol=adp"),
    *("rl.frames_per_batch=null", "rl.minibatch_size=2", "rl.num_iterations=2"),
    *("rl.num_test_iterations=1", "settings.checkpoint_period=1", "run_id=both"),
)


def test_torchrun_leaves_one_run_and_says_so_once(working_folder):
    arguments = [*TORCHRUN, str(SCRIPT), *TOY, "rl.rollouts_per_iteration=4"]
    process = fork_server().call(
        "torch.distributed.run:main",
        arguments,
        folder=working_folder,
        environment={**os.environ, "COLUMNS": "120"},
    )
    assert process.exit_code == 0, process.stderr
    assert process.stdout.count("Where to look") == 1
    assert [path.name for path in working_folder.iterdir()] == ["runs"]
    run = working_folder / "runs" / "both"
    visible = [p.name for p in run.parent.iterdir() if not p.name.startswith(".")]
    assert visible == ["both"]
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == [
        "iteration_000001",
        "iteration_000002",
    ]
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["metrics"] == read_history(run).latest_all()


def test_a_batch_that_does_not_divide_is_refused_once(working_folder):
    """Each rank is started as torchrun starts it, which ends the others after the first."""
    two = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    arguments = [*TOY, "rl.rollouts_per_iteration=5"]
    first, second = (
        start_command_line(arguments, working_folder, RANK=rank, LOCAL_RANK=rank, **two)
        for rank in ("0", "1")
    )
    ending = first.wait(60)
    assert ending is not None and ending.exit_code == 2
    assert ending.stderr.count("error: ") == 1
    assert "5 environments cannot be divided by 2 processes" in ending.stderr
    assert second.kill().stderr == ""
    assert not list(working_folder.iterdir())


def test_torchrun_does_not_go_with_a_sweep(monkeypatch, capsys, repository):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as leaving:
        check_arguments(["--multirun", "seed=1,2", *TOY], repository / "configs")
    assert leaving.value.code == 2
    assert "Start each job with a torchrun of its own" in capsys.readouterr().err


def test_parameters_of_objectives_are_the_same_on_both_ranks(tmp_path):
    """Each rank draws from its own generator, so the first one's values are shared."""
    forget = register("probing", ProbingTrainer)
    try:
        parameters = make_params(trainer="probing", rl={"lr": 0.1}).to_dict()
    finally:
        forget()
    job = {"folder": str(tmp_path), "parameters": parameters}
    ((first, second),) = run_on_ranks((f"{CHILD}:own_parameters_of_one_rank", job))
    assert first.exit_code == second.exit_code == 0
    assert first.result["before"] == second.result["before"] != first.result["after"]
    assert first.result["after"] == second.result["after"]
