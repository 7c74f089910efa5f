"""File locks between processes and within one."""

import os
import signal
import socket
import threading
import time

import pytest

from nip.utils.file_lock import FileLock


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".lock"


def test_a_lock_excludes_a_second_user_of_the_same_process_until_it_is_released(path):
    first, second = FileLock(path), FileLock(path)
    assert first.acquire(wait=False)
    assert not second.acquire(wait=False)
    second.release()
    first.release()
    assert second.acquire(wait=False)
    assert path.exists()


def test_the_file_names_the_holder_also_after_a_failed_attempt(path):
    lock = FileLock(path)
    lock.acquire(wait=False)
    assert not FileLock(path).acquire(wait=False)
    assert FileLock(path).holder() == f"process {os.getpid()} on {socket.gethostname()}"


def test_a_killed_process_leaves_no_lock_even_if_its_worker_lives(path):
    ready = os.pipe()
    child = os.fork()
    if child == 0:
        lock = FileLock(path)
        lock.acquire(wait=False)
        if os.fork() == 0:
            # A worker gives the lock up as soon as it runs.
            os.write(ready[1], str(os.getpid()).encode())
            time.sleep(60)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    worker = int(os.read(ready[0], 20))
    try:
        os.kill(worker, 0)
        assert FileLock(path).acquire(wait=False)
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_forked_child_that_ends_does_not_release_the_lock(path):
    lock = FileLock(path)
    lock.acquire(wait=False)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert not FileLock(path).acquire(wait=False)


def test_a_thread_waits_until_another_releases_the_lock(path):
    lock, is_held = FileLock(path), threading.Event()

    def hold():
        lock.acquire(wait=False)
        is_held.set()
        time.sleep(0.1)
        lock.release()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    assert FileLock(path).acquire(wait=True)
    holder.join()
