"""The description of machine and code at each start."""

import json
import os
import platform
import subprocess

import pytest

from nip.errors import ResumeError
from nip.run_store.database.origin import read_identity
from nip.run_store.environment import append_start, describe_code, describe_start
from tests.utils.test_secret_formats import SECRETS


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def package(tmp_path):
    """Return the folder of a package in a git repository with one commit."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "__init__.py").write_text("x = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return folder


def test_unchanged_code_is_described_by_its_commit(package):
    description = describe_code(package)
    assert description["diff"] == ""
    assert len(description["commit"]) == 40
    assert int(description["commit"], 16) > 0


def test_changed_code_comes_with_the_difference(package):
    commit = describe_code(package)["commit"]
    (package / "__init__.py").write_text("x = 2\n")
    git(package, "add", ".")
    description = describe_code(package)
    assert description["commit"] == commit
    assert "-x = 1\n+x = 2\n" in description["diff"]


def test_a_key_in_changed_code_is_left_out(package, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "plain-words-as-a-key")
    (package / "__init__.py").write_text("x = 'plain-words-as-a-key'\n")
    assert "+x = '[key removed]'\n" in describe_code(package)["diff"]


def test_a_very_long_difference_is_cut_off(package):
    (package / "__init__.py").write_text("y = 1\n" * 50_000)
    diff = describe_code(package)["diff"]
    assert len(diff) < 201_000
    assert diff.rstrip().endswith("more characters")


def test_a_key_at_the_end_of_the_kept_difference_is_left_out(package):
    start = len("diff --git a/package/__init__.py b/package/__init__.py")
    key = SECRETS["GitHub Token"][0]
    for before in range(199_700, 199_960, 20):
        (package / "__init__.py").write_text(f"{'y' * (before - start)} '{key}'\n{'z' * 50_000}")
        assert key[:12] not in describe_code(package)["diff"]


def test_a_key_after_an_option_or_in_the_name_of_the_folder_is_left_out(monkeypatch, tmp_path):
    key = SECRETS["GitHub Token"][0]
    folder = tmp_path / key
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["mine.py", "--my-api-key", "zebra", "--token", "--seed", "7"])
    start = describe_start({})
    assert start["working_folder"] == f"{tmp_path}/[key removed]"
    kept = ["mine.py", "--my-api-key", "[key removed]", "--token", "--seed", "7"]
    assert start["command_line"] == kept


def test_a_package_that_git_ignores_or_does_not_know_has_no_commit(package, tmp_path):
    installed = package.parent / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert describe_code(installed) is None


def test_without_a_repository_or_without_git_there_is_no_description(
    tmp_path, package, monkeypatch
):
    assert describe_code(tmp_path / "missing") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe_code(package) is None


def test_a_start_tells_versions_machine_and_command_but_no_environment_variable(monkeypatch):
    # Put together here, so that a difference of this very file does not contain it.
    secret = "-".join(["sk", "very", "secret"])
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    monkeypatch.setattr("sys.argv", ["run.py", "rl.lr=1"])
    start = describe_start({"device": "cpu"})
    assert start["versions"]["python"] == platform.python_version()
    assert {"nip", "torch", "numpy"} <= start["versions"].keys()
    assert start["command_line"] == ["run.py", "rl.lr=1"]
    assert start["settings"] == {"device": "cpu"}
    assert secret not in json.dumps(start)


def test_starts_are_appended_in_order(tmp_path):
    path = tmp_path / "environment.json"
    for number in (1, 2):
        append_start(path, {"number": number})
    assert json.loads(path.read_text()) == {"starts": [{"number": 1}, {"number": 2}]}


@pytest.mark.parametrize(("secret", "around"), SECRETS.values(), ids=SECRETS)
def test_a_difference_and_a_command_line_have_no_secret(package, monkeypatch, secret, around):
    text = (around or "{}").format(secret)
    (package / "__init__.py").write_text(f"{text}\n")
    monkeypatch.setattr("sys.argv", ["run.py", f"agents._default.base_url={text}"])
    described = describe_code(package)
    start = describe_start({"prices": text})
    assert "[key removed]" in described["diff"]
    for stored in (described["diff"], start["command_line"][1], start["settings"]["prices"]):
        assert secret[-8:] not in stored


@pytest.mark.parametrize("content", ["", "[]", "null", '{"starts": 3}', "[" * 3000, "\xff", None])
def test_a_damaged_file_is_not_continued(tmp_path, content):
    path = tmp_path / "environment.json"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(ResumeError, match=r"environment\.json is damaged"):
        append_start(path, {"started_at": "now"})
    assert read_identity(tmp_path) is None or content == '{"starts": 3}'
