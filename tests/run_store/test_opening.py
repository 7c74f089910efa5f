"""Creating the folder of a run, and opening an existing one."""

import os
import re

import pytest

from nip.errors import NipError, ParameterError, ResumeError
from nip.experiment_settings import ExperimentSettings
from nip.run_store import Checkpoint, read_history
from nip.run_store.run_id import existing_run_ids
from tests.other_users import as_other_user, open_to_others
from tests.run_store.open_runs import begin, everything_in

GROUP = 5000


def test_never_refuses_an_existing_run_and_changes_nothing(settings, runs_dir):
    begin(settings).close()
    before = everything_in(runs_dir)
    with pytest.raises(ResumeError, match=r"'r' already exists.*resume=never.*another run_id"):
        begin(settings, resume="never")
    assert everything_in(runs_dir) == before
    begin(settings, "other", resume="never").close()


def test_must_refuses_a_missing_run_and_names_those_there_are(settings, runs_dir):
    with pytest.raises(ResumeError, match=r"no run 'r' to resume.*There are no runs in"):
        begin(settings, resume="must")
    assert not runs_dir.exists()
    begin(settings, "first_run").close()
    begin(settings, "second_run").close()
    with pytest.raises(ResumeError, match=r"Did you mean 'first_run'\?.*first_run, second_run"):
        begin(settings, "frist_run", resume="must")
    begin(settings, "first_run", resume="must").close()


def test_a_folder_that_is_no_run_is_left_alone_but_an_empty_one_is_used(settings, runs_dir):
    (runs_dir / "r").mkdir(parents=True)
    (runs_dir / "r" / "thesis.tex").write_text("precious")
    with pytest.raises(ResumeError, match="is not a run"):
        begin(settings)
    assert (runs_dir / "r" / "thesis.tex").read_text() == "precious"
    (runs_dir / "empty").mkdir()
    begin(settings, "empty").close()


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_to_a_folder_without_a_run_is_refused_and_one_to_a_run_is_used(
    settings, runs_dir, exists
):
    runs_dir.mkdir()
    elsewhere = runs_dir.with_name("elsewhere")
    if exists:
        elsewhere.mkdir()
    (runs_dir / "r").symlink_to(elsewhere)
    with pytest.raises(ResumeError, match=r"symbolic link to .*elsewhere, where no run is"):
        begin(settings)
    assert [path.name for path in elsewhere.glob("*")] == []
    begin(settings, "other").close()
    (runs_dir / "alias").symlink_to(runs_dir / "other")
    begin(settings, "alias", resume="must").close()


def test_a_folder_that_cannot_be_made_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match=r"settings\.runs_dir='.*file/runs'"):
        begin(ExperimentSettings(runs_dir=tmp_path / "file" / "runs"))


def test_a_failure_while_a_run_is_made_leaves_no_folder(settings, runs_dir, monkeypatch):
    def fail(*_arguments):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("nip.run_store.opening.append_start", fail)
        with pytest.raises(OSError, match="disk full"):
            begin(settings)
    assert not (runs_dir / "r").exists()
    with begin(settings) as run:
        assert run.is_new
    assert sorted(os.listdir(runs_dir)) == [".lock", "r"]


def test_a_second_user_of_an_open_run_is_refused(settings):
    with begin(settings):
        with pytest.raises(ResumeError, match=rf"'r' is in use by process {os.getpid()} on .*"):
            begin(settings)
        begin(settings, "other").close()
    begin(settings).close()


def test_of_processes_that_open_the_same_new_run_one_wins(settings):
    start, results = os.pipe(), os.pipe()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            open_when_told(settings, start[0], results[1])
        children.append(child)
    os.write(start[1], b"go!")
    answers = sorted(os.read(results[0], 7) for _ in children)
    os.write(start[1], b"end")
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert answers == [b"opened ", b"refused", b"refused"]


def open_when_told(settings, start, result):
    """Open the run after reading one byte; keep it open until the next."""
    os.read(start, 1)
    try:
        run = begin(settings)
    except ResumeError as error:
        os.write(result, b"refused" if "'r' is in use by process" in str(error) else b"failed ")
    else:
        os.write(result, b"opened " if run.is_new else b"resumed")
    os.read(start, 1)
    os._exit(0)


def test_leftovers_of_killed_writers_go_when_the_run_is_opened(settings):
    with begin(settings) as run:
        leftover = run.folder / ".result.json.12-34.tmp"
    leftover.write_text("half")
    begin(settings).close()
    assert not leftover.exists()


def run_of(settings, umask=0o022):
    """Make a run as another user; return the message if it is refused."""

    def attempt():
        try:
            with begin(settings) as run:
                run.log(2, {"loss": 0.5})
        except NipError as error:
            return str(error)
        return "opened"

    return as_other_user(attempt, umask=umask)


def test_several_users_share_a_folder_of_runs(settings, runs_dir):
    open_to_others(runs_dir)
    runs_dir.mkdir()
    runs_dir.chmod(0o1777)
    with begin(settings, "of_root") as run:
        run.log(1, {"loss": 1.0})
    private = begin(settings, "private")
    private.close()
    private.folder.chmod(0o700)
    assert run_of(settings) == "opened"
    assert as_other_user(lambda: existing_run_ids(runs_dir)) == ["of_root", "r"]
    assert as_other_user(lambda: read_history(run.folder).values("loss")) == [[1, 1.0]]
    begin(settings, "r", resume="must").close()
    message = as_other_user(lambda: refusal(settings, "of_root"))
    assert "Run 'of_root' cannot be resumed, because you may not write to" in message
    assert "belongs to user 'root'" in message
    assert "you may not read it" in as_other_user(lambda: refusal(settings, "private"))


def test_a_group_resumes_the_runs_of_its_members(settings, runs_dir):
    open_to_others(runs_dir)
    runs_dir.mkdir()
    os.chown(runs_dir, 0, GROUP)
    runs_dir.chmod(0o2775)

    def train():
        with begin(settings) as run:
            number = (run.history.last_iteration or 0) + 1
            run.log(number, {"loss": 1 / number})
            run.save_checkpoint(Checkpoint(number, {}, {}))
        return run.history.values("loss")

    for user, expected in ((6001, [[1, 1.0]]), (6002, [[1, 1.0], [2, 0.5]])):
        assert as_other_user(train, user=user, group=GROUP, umask=0o002) == expected
    with begin(settings, resume="must") as run:
        assert run.load_latest_checkpoint().iteration == 2


def test_what_another_user_has_left_half_made_is_named(settings, runs_dir):
    open_to_others(runs_dir)
    runs_dir.mkdir()
    runs_dir.chmod(0o1777)
    (runs_dir / ".r.creating").mkdir()
    assert re.match(r"\S+\.r\.creating cannot be accessed: ", run_of(settings))


def refusal(settings, run_id):
    with pytest.raises(ResumeError) as caught:
        begin(settings, run_id)
    return str(caught.value)


def test_a_folder_of_runs_that_may_not_be_written_is_the_users_error(settings, runs_dir):
    open_to_others(runs_dir)
    runs_dir.mkdir()
    assert "is not writable: Permission denied. Choose another folder." in run_of(settings)


def test_what_lies_in_place_of_the_lock_is_named(settings, runs_dir):
    begin(settings).close()
    lock = runs_dir / "r" / ".lock"
    lock.unlink()
    lock.symlink_to("elsewhere")
    with pytest.raises(ResumeError, match=r"\.lock cannot be locked.*regular file"):
        begin(settings)
