"""Timetable shared by the protocols with two provers on two channels."""

from nip.protocols.rules import Timetable, Turn

PROVER_CHANNELS = {"prover0": "prover0_channel", "prover1": "prover1_channel"}
"""The channel on which each prover writes."""


def two_prover_timetable(
    *, verifier_first: bool, sequential: bool, prover0_first: bool
) -> Timetable:
    """Return who writes where in each round of one period.

    The verifier writes on both channels, before or after the provers. Each prover writes on its own
    channel, at once or, if ``sequential``, in turn, which makes the period 3 rounds instead of 2.
    ``prover0_first`` has no effect when both write at once.
    """
    turn0: Turn = {"prover0": (PROVER_CHANNELS["prover0"],)}
    turn1: Turn = {"prover1": (PROVER_CHANNELS["prover1"],)}
    provers: Timetable = ({**turn0, **turn1},)
    if sequential:
        provers = (turn0, turn1) if prover0_first else (turn1, turn0)
    verifier: Turn = {"verifier": tuple(PROVER_CHANNELS.values())}
    return (verifier, *provers) if verifier_first else (*provers, verifier)
