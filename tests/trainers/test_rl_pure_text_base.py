"""The loop over stages of language model training: order, resuming, and early stops."""

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from nip.errors import ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import ModelSpec
from nip.language_models.provider_registry import ConnectionContext
from nip.protocols.registry import build_protocol_handler
from nip.run_store import RunHistory
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from nip.trainers.text.state import STAGES, STATE_KEY, TextTrainerState
from tests.text_experiments import make_text_params


class FakeRun:
    """Stores states in memory, and records what is stored in which transaction."""

    def __init__(self) -> None:
        self.states: dict = {}
        self.saved: list[dict] = []
        self.operations: list[str] = []
        self.history = RunHistory()
        self.jobs = SimpleNamespace(all=list)

    def get_state(self, key, default=None):
        return self.states.get(key, default)

    def set_state(self, key, value) -> None:
        self.states[key] = value
        self.operations.append(key)
        if key == STATE_KEY:
            self.saved.append(value)

    def log(self, iteration, metrics) -> None:
        self.operations.append(f"log {iteration} {sorted(metrics)}")

    @contextmanager
    def transaction(self):
        self.operations.append("begin")
        yield
        self.operations.append("commit")


class FakeManager:
    """Creates one job per iteration, whose model is named after it."""

    def __init__(self, work: list[str]) -> None:
        self.iteration = 0
        self.cost = 0.0
        self._work = work

    async def create_pending_jobs(self) -> None:
        self._work.append(f"create jobs {self.iteration}")

    async def wait(self) -> dict[str, str]:
        self._work.append(f"wait {self.iteration}")
        self.cost += 1.0
        return {"group": f"model {self.iteration + 1}"}


class StagedTrainer(PureTextRlTrainer):
    """Records its work instead of calling models."""

    stop_in: str | None = None

    def _training_rollouts(self):
        self._do(f"sample {self.state.iteration}")
        return "rollouts"

    def _rollouts_to_learn_from(self):
        return "rollouts"

    def _report(self, phase, rollouts):
        self._do(f"report {phase} {self.state.iteration}")
        return {phase: 1.0}

    def _run_test_loop(self):
        self._do(f"test {self.state.iteration}")
        return {"test": 1.0}

    def _stage_create_fine_tune_jobs(self, rollouts):
        self._do(f"select {self.state.iteration}")

    def _do(self, work: str) -> None:
        self.work.append(work)
        if work == self.stop_in:
            self.context.stop("a test")


def build(run: FakeRun | None, num_iterations: int = 2, **changes) -> StagedTrainer:
    """Return a trainer that is set up as `train` does."""
    # There are no dialogues that the alarm could watch.
    text_rl = {"test_scheme": "all", **changes.pop("text_rl", {})}
    changes["text_rl"] = {**text_rl, "warn_of_constant_verdicts": False}
    params = make_text_params(rl={"num_iterations": num_iterations}, **changes)
    group = SimpleNamespace(model_name="model 0", is_frozen=False, service=None)
    group.use_model = lambda name: setattr(group, "model_name", name)
    instance = SimpleNamespace(
        protocol_handler=build_protocol_handler(params),
        scenario=None,
        agents={"verifier": SimpleNamespace(model=ModelSpec("rehearsal", "m"))},
        shared_model_groups={"group": group},
    )
    trainer = StagedTrainer(params, instance, ExperimentSettings(progress=False), run)
    if run is not None:
        trainer._set_up(ConnectionContext())
        trainer.work = []
        trainer._manager = FakeManager(trainer.work)
        trainer._runner = SimpleNamespace(run=asyncio.run)
        trainer._progress = SimpleNamespace(set_description=lambda text: None)
    return trainer


def run_all(trainer: StagedTrainer, max_stages: int = 99) -> list[str]:
    """Run stages as `_run_train_loop` does, and return the recorded work."""
    for _ in range(max_stages):
        if trainer._is_over(trainer.state):
            break
        trainer._run_stage()
    return trainer.work


FIRST = ["sample 0", "sample 0", "report train 0", "test 0"]
FINE_TUNING = ["select 0", "create jobs 0", "wait 0"]
SECOND = ["sample 1", "sample 1", "report train 1", "test 1"]


def test_the_stages_of_all_iterations_run_in_order_without_a_last_fine_tuning() -> None:
    run = FakeRun()
    assert run_all(build(run)) == [*FIRST, *FINE_TUNING, *SECOND]
    stages = [state["stage"] for state in run.saved]
    assert stages == [*STAGES[1:], STAGES[0], *STAGES[1:3], "done"]
    assert run.saved[-1]["models"] == ({"group": "model 0"}, {"group": "model 1"})


def test_a_new_process_resumes_after_any_stage() -> None:
    whole = run_all(build(FakeRun()))
    for num_stages in range(1, 8):
        run = FakeRun()
        before = run_all(build(run), num_stages)
        resumed = build(run)
        assert (
            resumed.shared_model_groups["group"].model_name == run.saved[-1]["models"][-1]["group"]
        )
        assert before + run_all(resumed) == whole, num_stages


def test_metrics_and_state_of_a_stage_are_one_transaction() -> None:
    run = FakeRun()
    run_all(build(run), 2)
    begin = [index for index, operation in enumerate(run.operations) if operation == "begin"]
    assert run.operations[begin[1] :] == [
        "begin",
        "log 1 ['train']",
        STATE_KEY,
        "trainer_layer",
        "commit",
    ]


@pytest.mark.parametrize(
    ("stage", "is_over"),
    [*zip(STAGES, [True, False, False, True, False], strict=True), ("done", True)],
)
def test_a_stop_request_ends_training_before_sampling_and_job_creation(
    stage: str, is_over: bool
) -> None:
    trainer = build(FakeRun())
    state = TextTrainerState(models=({"group": "model 0"},), stage=stage)
    assert trainer._is_over(state) is (stage == "done")
    trainer.context.stop("a test")
    assert trainer._is_over(state) is is_over


@pytest.mark.parametrize(("stage", "expected"), [*zip(STAGES, [2, 2, 2, 4, 4], strict=True)])
def test_a_stop_before_fine_tuning_makes_the_current_iteration_the_last(
    stage: str, expected: int
) -> None:
    trainer = build(FakeRun(), num_iterations=4)
    trainer.state = TextTrainerState(models=({"group": "a"}, {"group": "b"}), stage=stage)
    assert trainer._num_iterations == 4
    trainer.context.stop("a test")
    assert trainer._num_iterations == expected


@pytest.mark.parametrize(
    ("stop_in", "work"),
    [
        # Sampled rollouts are still reported and tested, as in a last iteration.
        ("sample 0", FIRST),
        ("test 0", FIRST),
        # Jobs that were created are paid for: their models are awaited.
        ("select 0", [*FIRST, *FINE_TUNING]),
    ],
)
def test_a_stopped_run_finishes_what_is_useful(stop_in: str, work: list[str]) -> None:
    trainer = build(FakeRun())
    trainer.stop_in = stop_in
    assert run_all(trainer) == work


def test_the_test_scheme_is_followed() -> None:
    work = run_all(build(FakeRun(), text_rl={"test_scheme": "last"}))
    assert [each for each in work if each.startswith("test")] == ["test 1"]


def test_the_last_iteration_of_a_stopped_run_is_tested() -> None:
    trainer = build(FakeRun(), text_rl={"test_scheme": "last"})
    trainer.stop_in = "report train 0"
    assert run_all(trainer)[-1] == "test 0"


def test_costs_of_jobs_count_against_the_budget() -> None:
    trainer = build(FakeRun())
    run_all(trainer)
    assert trainer._usage_tracker.training_cost == 1.0


def test_training_without_a_run_is_refused() -> None:
    with pytest.raises(ParameterError, match="StagedTrainer needs a run"):
        build(None).train()
