"""What is sent to Weights & Biases, or kept for it."""

import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest

from nip.errors import NipError, NipWarning
from nip.trainers.callbacks.rollout_samples import RolloutSamples
from nip.trainers.callbacks.wandb import Wandb, wandb_run_id
from tests.trainers.callbacks.scripted_training import ScriptedTraining, scripted_history


def make_run_folder(parent, name="demo", started_at="2026-01-01T00:00:00+00:00"):
    folder = parent / name
    folder.mkdir(parents=True)
    starts = {"starts": [{"started_at": started_at}, {"started_at": "later"}]}
    (folder / "environment.json").write_text(json.dumps(starts))
    (folder / "hyper_params.yaml").write_text("seed: 1")
    return folder


class FakeArtifact:
    def __init__(self, name, type):  # noqa: A002
        self.name, self.type, self.files = name, type, []

    def add_dir(self, path):
        self.files.append(path)

    def add_file(self, path, name):
        self.files.append(name)


class FakeRun:
    def __init__(self, starting_step):
        self.starting_step, self.rows, self.artifacts, self.exit_codes = starting_step, [], [], []
        self.axes = []

    def define_metric(self, name, step_metric=None):
        self.axes.append((name, step_metric))

    def log(self, metrics, step):
        self.rows.append((step, metrics))

    def log_artifact(self, artifact, aliases=None):
        self.artifacts.append((artifact.name, artifact.type, artifact.files, aliases))

    def finish(self, exit_code):
        self.exit_codes.append(exit_code)


@pytest.fixture
def service(monkeypatch):
    """Put a W&B that remembers what it is given in the place of the package."""
    fake = ModuleType("wandb")
    fake.__spec__ = ModuleSpec("wandb", None)

    class Error(Exception):
        pass

    fake.errors = SimpleNamespace(Error=Error, AuthenticationError=type("No", (Error,), {}))
    fake.Artifact = FakeArtifact
    fake.is_logged_in, fake.failure, fake.num_steps, fake.runs, fake.given = True, None, 0, [], []

    def init(**options):
        if fake.failure:
            raise Error(fake.failure)
        fake.given.append(options)
        fake.runs.append(FakeRun(fake.num_steps))
        return fake.runs[-1]

    fake.init, fake.login = init, lambda prompt: fake.is_logged_in
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


@pytest.mark.whole_run
def test_without_a_network_all_is_kept_and_read_back(tmp_path, monkeypatch):
    for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_PROJECT", "proofs")
    import wandb

    from tests.trainers.callbacks.wandb_file import read_history, read_records

    folder = make_run_folder(tmp_path / "runs")
    options = {"mode": "offline", "tags": ("a", "b"), "log_checkpoints": True, "log_rollouts": True}
    # The first start was killed in its fourth iteration; what it wrote at W&B is not looked at.
    (folder / "rollouts").mkdir()
    (folder / "rollouts" / "iteration_000002.yaml").write_text("- 1\n")
    checkpoint = folder / "checkpoints" / "iteration_000003"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text("{}")
    best = {"iteration": 3, "metric": "loss", "value": 3.0}
    (checkpoint.parent / "best.json").write_text(json.dumps(best))
    history = scripted_history({"loss": 1.0, "test_x": 0.5}, {"loss": 2.0})
    training = ScriptedTraining(
        Wandb(**options), folder, history=history, done=2, callbacks=[RolloutSamples()]
    )
    training.iterate({"loss": 3.0}, {"test_x": 0.75})
    training.log(3, {"test_x": 0.875})
    training.end()
    wandb.teardown()

    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    logged = ("_step", "loss", "test_x")
    rows = [{key: row[key] for key in logged if key in row} for row in read_history(path)]
    assert rows == [
        {"_step": 1, "loss": 1.0, "test_x": 0.5},
        {"_step": 2, "loss": 2.0},
        {"_step": 3, "loss": 3.0, "test_x": 0.875},
    ]
    kinds = {}
    for record in read_records(path):
        kind = record.WhichOneof("record_type")
        kinds.setdefault(kind, []).append(getattr(record, kind))
    run = kinds["run"][0]
    assert (run.run_id, run.project, run.display_name) == (wandb_run_id(folder), "proofs", "demo")
    assert list(run.tags) == ["a", "b"]
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["rl"] == {"lr": 0.1}
    assert [
        (each.name, each.type, sorted(each.aliases), [file.path for file in each.manifest.contents])
        for each in kinds["artifact"]
    ] == [
        ("demo-rollouts", "rollouts", ["latest"], ["rollouts/iteration_000002.yaml"]),
        (
            "demo-checkpoint",
            "model",
            ["best", "iteration_000003", "latest"],
            ["hyper_params.yaml", "state.json"],
        ),
    ]
    assert [each.exit_code for each in kinds["exit"]] == [0]


def test_on_a_resume_steps_that_the_service_has_are_not_sent_again(service, tmp_path):
    service.num_steps = 5
    history = scripted_history(*({"loss": float(i)} for i in range(1, 4)))
    training = ScriptedTraining(Wandb(), make_run_folder(tmp_path), history=history, done=3)
    for value in (4.0, 5.0, 6.0):
        training.iterate({"loss": value})
    training.end()
    (options,) = service.given
    assert (options["mode"], options["resume"]) == ("online", "allow")
    # The difference to the last commit and the address of the remote may contain keys.
    assert options["settings"] == {"disable_git": True, "save_code": False}
    assert service.runs[0].rows == [(5, {"loss": 5.0}), (6, {"loss": 6.0})]


def test_what_the_service_lacks_is_sent_from_the_history(service, tmp_path):
    service.num_steps = 2
    history = scripted_history(*({"loss": float(i)} for i in range(1, 4)))
    ScriptedTraining(Wandb(), make_run_folder(tmp_path), history=history, done=3)
    assert service.runs[0].rows == [(2, {"loss": 2.0}), (3, {"loss": 3.0})]


class Service:
    """Keeps what it accepts: rows in the order of their steps, merged where these are equal."""

    def __init__(self):
        self.rows = {}

    @property
    def num_steps(self):
        return max(self.rows, default=-1) + 1

    def take(self, run):
        for step, metrics in run.rows:
            assert step >= max(self.rows, default=0), "W&B drops metrics for earlier steps"
            self.rows.setdefault(step, {}).update(metrics)
        run.rows = []


PARTS = [{"loss": 1.0}, {"test_x": 10.0}], [{"loss": 2.0}, {"test_x": 20.0}]


@pytest.mark.parametrize(
    ("num_sent", "num_stored"),
    [(sent, stored) for sent in range(5) for stored in range(min(sent, 2) + 1)],
)
def test_all_parts_of_all_iterations_arrive_once_whenever_it_is_killed(
    service, tmp_path, num_sent, num_stored
):
    """``num_sent`` parts arrive before the kill; the checkpoint has ``num_stored`` of them."""
    folder, kept = make_run_folder(tmp_path), Service()
    parts = [(iteration, part) for iteration, both in enumerate(PARTS, 1) for part in both]
    first = ScriptedTraining(Wandb(), folder)
    for iteration, part in parts[:num_sent]:
        first.log(iteration, part)
    kept.take(service.runs[-1])

    service.num_steps = kept.num_steps
    history = scripted_history()
    for iteration, part in parts[:num_stored]:
        history.update(iteration, part)
    second = ScriptedTraining(Wandb(), folder, history=history, done=0)
    for iteration, part in parts[num_stored:]:
        second.log(iteration, part)
    kept.take(service.runs[-1])

    arrived = [
        (row["iteration"], name, value)
        for row in kept.rows.values()
        for name, value in row.items()
        if name != "iteration"
    ]
    assert sorted(arrived) == [
        (1, "loss", 1.0),
        (1, "test_x", 10.0),
        (2, "loss", 2.0),
        (2, "test_x", 20.0),
    ]
    # Steps are iterations unless a part came too late for its step.
    is_late = num_sent in (1, 3)
    assert all(step == row["iteration"] for step, row in kept.rows.items()) is not is_late
    assert (("*", "iteration") in service.runs[-1].axes) is is_late

    # A third start finds nothing to send.
    service.num_steps = kept.num_steps
    ScriptedTraining(Wandb(), folder, history=second.history, done=2)
    assert service.runs[-1].rows == []


def test_what_was_sent_but_did_not_arrive_is_sent_again(service, tmp_path):
    folder = make_run_folder(tmp_path)
    first = ScriptedTraining(Wandb(), folder)
    for value in (1.0, 2.0, 3.0):
        first.iterate({"loss": value})
    service.num_steps = 2
    ScriptedTraining(Wandb(), folder, history=first.history, done=3)
    assert service.runs[-1].rows == [
        (2, {"loss": 2.0, "iteration": 2}),
        (3, {"loss": 3.0, "iteration": 3}),
    ]


def test_late_parts_of_a_run_of_an_earlier_version_arrive(service, tmp_path):
    """There is no record of what was sent; the service has the first part of iteration 3."""
    service.num_steps = 4
    history = scripted_history(*({"loss": float(i)} for i in range(1, 4)))
    training = ScriptedTraining(Wandb(), make_run_folder(tmp_path), history=history, done=2)
    training.log(3, {"test_x": 0.5})
    training.log(4, {"loss": 4.0})
    assert service.runs[0].rows == [(4, {"test_x": 0.5}), (5, {"loss": 4.0})]


def test_the_identifier_is_that_of_the_run_and_not_of_another_with_its_name(tmp_path):
    first = wandb_run_id(make_run_folder(tmp_path / "a"))
    assert first == wandb_run_id(make_run_folder(tmp_path / "b"))
    assert first != wandb_run_id(make_run_folder(tmp_path / "c", name="demo2"))
    assert first != wandb_run_id(make_run_folder(tmp_path / "d", started_at="2026-01-02"))


def test_no_account_is_told_with_the_way_out_and_without_a_question(service, tmp_path):
    service.is_logged_in = False
    with pytest.raises(NipError, match=r"you are not logged in.*mode: offline"):
        ScriptedTraining(Wandb(), make_run_folder(tmp_path))


def test_no_network_at_the_start_is_told_with_the_way_out(service, tmp_path):
    service.failure = "timed out"
    with pytest.raises(NipError, match=r"could not be started: timed out.*mode: offline"):
        ScriptedTraining(Wandb(), make_run_folder(tmp_path))


def test_a_run_that_fails_is_finished_as_failed(service, tmp_path):
    training = ScriptedTraining(Wandb(), make_run_folder(tmp_path))
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        training.end()
    assert service.runs[0].exit_codes == [1]


def test_an_error_while_sending_is_no_secret(service, tmp_path):
    training = ScriptedTraining(Wandb(), make_run_folder(tmp_path))
    service.runs[0].log = lambda metrics, step: 1 / 0
    with pytest.raises(ZeroDivisionError):
        training.iterate({"loss": 1.0})


def test_only_what_is_new_is_sent_as_an_artifact_and_only_on_request(service, tmp_path):
    folders = [make_run_folder(tmp_path, name) for name in ("asked", "not_asked")]
    for folder in folders:
        (folder / "transcripts").mkdir()
        (folder / "transcripts" / ".half.tmp").write_text("")
    for folder in folders:
        asked = folder.name == "asked"
        training = ScriptedTraining(Wandb(log_rollouts=asked), folder, callbacks=[RolloutSamples()])
        for name in ("a", "b"):
            (folder / "transcripts" / f"{name}.yaml").write_text(name)
            training.iterate({"loss": 1.0})
        training.iterate({"loss": 1.0})
        (folder / "transcripts" / "c.yaml").write_text("c")
        training.end()
    assert [run.artifacts for run in service.runs] == [
        [
            ("asked-rollouts", "rollouts", [f"transcripts/{name}.yaml"], None)
            for name in ("a", "b", "c")
        ],
        [],
    ]


@pytest.mark.parametrize(
    ("data", "option", "way_out"),
    [
        ("text", "log_checkpoints", "Set it to False"),
        ("text", "log_rollouts", r"text_rl\.save_transcripts=True"),
        ("tensordict", "log_rollouts", "'rollout_samples'"),
    ],
)
def test_what_there_will_never_be_to_send_is_told(service, tmp_path, data, option, way_out):
    with pytest.warns(NipWarning, match=rf"{option}=True.*no effect.*{way_out}"):
        training = ScriptedTraining(Wandb(**{option: True}), make_run_folder(tmp_path), data=data)
    training.iterate({"loss": 1.0})
    assert service.runs[0].artifacts == []


def test_switched_off_it_needs_nothing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    training = ScriptedTraining(Wandb(mode="disabled", log_checkpoints=True), tmp_path)
    training.iterate({"loss": 1.0})
    training.end()
    assert list(tmp_path.iterdir()) == []
