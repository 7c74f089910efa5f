"""The timetable of two provers on two channels, written out."""

from itertools import product

import pytest

from nip.protocols.builtin.two_prover_timetable import two_prover_timetable

PROVER0, PROVER1 = {"prover0": ("prover0_channel",)}, {"prover1": ("prover1_channel",)}
VERIFIER = {"verifier": ("prover0_channel", "prover1_channel")}


@pytest.mark.parametrize("prover0_first", [True, False])
def test_at_once_the_order_of_the_provers_has_no_effect(prover0_first):
    options = {"sequential": False, "prover0_first": prover0_first}
    both = {**PROVER0, **PROVER1}
    assert two_prover_timetable(verifier_first=True, **options) == (VERIFIER, both)
    assert two_prover_timetable(verifier_first=False, **options) == (both, VERIFIER)


@pytest.mark.parametrize(
    ("prover0_first", "provers"), [(True, (PROVER0, PROVER1)), (False, (PROVER1, PROVER0))]
)
def test_in_turn_each_prover_has_a_round(prover0_first, provers):
    options = {"sequential": True, "prover0_first": prover0_first}
    assert two_prover_timetable(verifier_first=True, **options) == (VERIFIER, *provers)
    assert two_prover_timetable(verifier_first=False, **options) == (*provers, VERIFIER)


@pytest.mark.parametrize("flags", list(product([True, False], repeat=3)))
def test_everybody_writes_once_in_a_period(flags):
    names = ("verifier_first", "sequential", "prover0_first")
    timetable = two_prover_timetable(**dict(zip(names, flags, strict=True)))
    writers = [agent for turn in timetable for agent in turn]
    assert sorted(writers) == ["prover0", "prover1", "verifier"]
