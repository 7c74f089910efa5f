"""Atomic file replacement."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.errors import StorageError
from nip.utils.files import (
    make_folder,
    read_text,
    regular,
    remove_temporary_files,
    storage_errors,
    with_home,
    write_atomically,
)
from tests.small_disks import small_disk


@given(content=st.binary(max_size=200))
def test_bytes_come_back_as_they_went(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("files") / "file.bin"
    write_atomically(path, content)
    assert path.read_bytes() == content


def test_text_is_utf8_and_replaces_the_old_content(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("a much longer old content", encoding="utf-8")
    write_atomically(path, "né→")
    assert path.read_bytes() == b"n\xc3\xa9\xe2\x86\x92"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    write_atomically(path, "old")

    def no_rename(_source, _target):
        raise OSError("disk full")

    monkeypatch.setattr("nip.utils.files.os.replace", no_rename)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_the_name_appears_only_when_the_content_is_complete(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    seen = []
    rename = os.replace

    def look_then_rename(source, target):
        seen.append((path.exists(), Path(source).read_text(encoding="utf-8")))
        rename(source, target)

    monkeypatch.setattr("nip.utils.files.os.replace", look_then_rename)
    write_atomically(path, "whole")
    assert seen == [(False, "whole")]


def test_new_files_obey_the_umask(tmp_path):
    old_mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file.txt", "x")
    finally:
        os.umask(old_mask)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o640


def test_leftovers_are_removed_and_other_files_kept(tmp_path):
    (tmp_path / ".result.json.12-34.tmp").write_text("half")
    (tmp_path / ".hidden").write_text("kept")
    (tmp_path / "notes.tmp").write_text("kept")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / ".page.yaml.12-34.tmp").write_text("half")
    remove_temporary_files(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "below", "notes.tmp"]
    assert not os.listdir(tmp_path / "below")


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        write_atomically(tmp_path / "missing" / "file.txt", "x")
    # Not that of the temporary file.
    assert error.value.filename == str(tmp_path / "missing" / "file.txt")


def make_link(path):
    path.with_name("target").write_text("of the link")
    path.symlink_to("target")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make_link, "a symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "a symbolic link"),
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a named pipe"),
    ],
    ids=["link", "dangling_link", "folder", "pipe"],
)
def test_only_a_regular_file_is_replaced(tmp_path, make, name):
    path = tmp_path / "file"
    make(path)
    before, names = path.lstat(), sorted(os.listdir(tmp_path))
    with pytest.raises(StorageError, match=f"file is {name}, and only a regular file is replaced"):
        write_atomically(path, "new")
    assert (path.lstat().st_mode, path.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert sorted(os.listdir(tmp_path)) == names


def test_a_device_is_not_replaced():
    with pytest.raises(StorageError, match="/dev/null is a device"):
        write_atomically("/dev/null", "new")
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    with small_disk(tmp_path / "disk", 40) as (folder, _):
        write_atomically(folder / "file", "old")
        with pytest.raises(StorageError, match=r"file cannot be accessed: No space left .* Free"):
            write_atomically(folder / "file", b"x" * 100_000)
        assert (folder / "file").read_text() == "old"
        assert os.listdir(folder) == ["file"]


@pytest.mark.parametrize("failing", ["fsync", "replace", "open"])
def test_an_io_error_is_a_storage_error(tmp_path, monkeypatch, failing):
    def fail(*_arguments, **_options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(f"nip.utils.files.os.{failing}", fail)
    with pytest.raises(StorageError, match=r"file cannot be accessed: Input/output error\. Check"):
        write_atomically(tmp_path / "file", "new")


def test_errors_that_the_disk_has_no_part_in_are_not_changed(tmp_path):
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        (tmp_path / "missing").read_text()


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    make_folder(tmp_path / "new" / "folder")
    make_folder(tmp_path / "new" / "folder")
    (tmp_path / "new" / "file").touch()
    for name in ("file", "file/folder"):
        with pytest.raises(StorageError, match=r"because .*new/file is no folder\. Move it away"):
            make_folder(tmp_path / "new" / name)


def test_what_others_wrote_is_read_as_text_or_refused_without_waiting(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("é")
    assert read_text(path) == "é"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError, match=r"not UTF-8 text\. Restore"):
        read_text(path)
    path.unlink()
    for missing in (path, tmp_path / "none" / "x"):
        with pytest.raises(FileNotFoundError):
            read_text(missing)
    os.mkfifo(path)
    with pytest.raises(StorageError, match="it is a named pipe"):
        read_text(path)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(StorageError, match="symbolic links"):
        read_text(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    pipe, file, link = tmp_path / "pipe", tmp_path / "file", tmp_path / "link"
    os.mkfifo(pipe)
    file.write_text("text")
    for path, kind in ((pipe, "a named pipe"), (Path("/dev/zero"), "a device"), (link, "a named")):
        if path == link:
            link.symlink_to(pipe)
        with pytest.raises(OSError, match=f"it is {kind}"):
            regular(path)
    assert regular(file).read_text() == "text"
    with pytest.raises(FileNotFoundError):
        regular(tmp_path / "missing").read_text()
    with pytest.raises(IsADirectoryError):
        regular(tmp_path).read_text()


def test_the_home_folder_of_an_unknown_user_stays_a_name(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert with_home("~/models") == Path("/home/somebody/models")
    assert with_home("~no-such-user/models") == Path("~no-such-user/models")
