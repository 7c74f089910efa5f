"""Results depend neither on the order of responses nor on that of sets."""

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.rehearsals import books_of_the_endpoint, rehearse
from tests.end_to_end.text_runs import Start, everything, run_groups
from tests.text_experiments import make_text_params

JITTER = ("slow?rate=0.3", "rate_limit?rate=0.05", "server_error?rate=0.1")
"""Answers overtake each other, and some have to be asked for again."""

SIZES = {"text_rl": {"test_scheme": "none"}}

PROTOCOLS: dict[str, dict[str, Any]] = {
    "nip": {"interaction_protocol": "nip", **SIZES},
    "simultaneous debate": {
        "interaction_protocol": "debate",
        "debate_protocol": {"max_message_rounds": 4, "sequential": False},
        **SIZES,
    },
}

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@each_protocol
def test_rollouts_and_training_files_do_not_depend_on_concurrency(
    protocol: str, tmp_path: Path
) -> None:
    left = []
    for concurrency in (1, 100):
        runs_dir = tmp_path / str(concurrency)
        rehearse(
            runs_dir, *JITTER, settings={"max_concurrency": concurrency}, **PROTOCOLS[protocol]
        )
        faults = books_of_the_endpoint(runs_dir).faults
        assert all(count > 0 for count in faults.values())
        assert len(faults) == len(JITTER)
        left.append(everything(runs_dir))
    assert left[0] == left[1]
    assert len(left[0]["rollouts"]) == 2 * 12
    assert sum(name.endswith(".jsonl") for name in left[0]["files"]) == len(left[0]["jobs"]) >= 2


@each_protocol
def test_another_seed_gives_other_dialogues(protocol: str, tmp_path: Path) -> None:
    for seed in (1, 2):
        rehearse(tmp_path / str(seed), seed=seed, rl={"num_iterations": 1}, **PROTOCOLS[protocol])
    texts = [
        [path.read_text() for path in sorted((tmp_path / seed / "run/transcripts").iterdir())]
        for seed in ("1", "2")
    ]
    assert texts[0] != texts[1]


def test_nothing_depends_on_the_order_of_sets(tmp_path: Path) -> None:
    """Each process has another order of sets, and another concurrency."""
    for hash_seed, concurrency in ((0, 3), (1, 100)):
        starts = [
            Start(
                tmp_path / str(hash_seed) / protocol,
                make_text_params(rehearsal={"faults": JITTER}, **changes).to_dict(),
                max_concurrency=concurrency,
            )
            for protocol, changes in PROTOCOLS.items()
        ]
        (outcomes,) = run_groups([starts], hash_seed=hash_seed)
        assert [outcome.exit_code for outcome in outcomes] == [0, 0]
    for protocol in PROTOCOLS:
        assert everything(tmp_path / "0" / protocol) == everything(tmp_path / "1" / protocol)
