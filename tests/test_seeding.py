"""Seeds are stable between processes, and different for different parts."""

import hashlib
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nip.seeding import stable_seed

PARTS = st.lists(st.integers() | st.text(), max_size=4)


def test_the_seed_is_the_documented_digest() -> None:
    digest = hashlib.sha256(b"int:1:7str:5:agent").hexdigest()
    assert stable_seed(7, "agent") == int(digest[:16], 16) // 2


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_seed_is_the_same_in_every_process(hash_seed: str) -> None:
    script = "from nip.seeding import stable_seed; print(stable_seed(6198, 'agent', 'prover'))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert int(run.stdout) == stable_seed(6198, "agent", "prover")


@given(PARTS)
def test_seeds_fit_what_torch_takes(parts: list[int | str]) -> None:
    assert 0 <= stable_seed(*parts) < 2**63


@given(PARTS, PARTS)
def test_different_parts_give_different_seeds(one: list[int | str], other: list[int | str]) -> None:
    # Typed, because 1 == True in Python; here all are integers or strings.
    assert (stable_seed(*one) == stable_seed(*other)) == (one == other)


def test_parts_are_not_run_together() -> None:
    assert len({stable_seed("ab", "c"), stable_seed("a", "bc"), stable_seed("abc")}) == 3
    assert stable_seed(1) != stable_seed("1")


@pytest.mark.parametrize("part", [1.0, True, None, ("a",)])
def test_only_integers_and_strings_are_parts(part: object) -> None:
    with pytest.raises(TypeError, match="integers and strings"):
        stable_seed(part)  # type: ignore[arg-type]
