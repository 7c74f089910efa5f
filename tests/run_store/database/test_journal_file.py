"""A journal in a file of its own, with its lock."""

from pathlib import Path

import pytest

from nip.errors import ResumeError
from nip.run_store.database.journal_file import JournalFile


def test_entries_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.db"
    for number in range(2):
        with JournalFile(path) as file:
            assert len(file.journal) == number
            file.journal.put(f"author/{number}", {"text": "x"})
    with JournalFile(path) as file:
        assert [key for key, _ in file.journal.below("author")] == ["author/0", "author/1"]


def test_one_process_at_a_time_uses_a_file(tmp_path: Path) -> None:
    with (
        JournalFile(tmp_path / "answers.db"),
        pytest.raises(ResumeError, match=r"answers\.db is in use by process \d+"),
    ):
        JournalFile(tmp_path / "answers.db")
    JournalFile(tmp_path / "answers.db").close()


def test_a_file_that_is_no_database_is_reported_and_not_locked(tmp_path: Path) -> None:
    (tmp_path / "answers.db").write_text("not a database, but text that is long enough" * 9)
    for _ in range(2):
        with pytest.raises(ResumeError, match="is damaged"):
            JournalFile(tmp_path / "answers.db")
