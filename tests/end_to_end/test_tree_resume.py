"""A run that samples response trees resumes to the same result, wherever it was killed."""

from pathlib import Path

import pytest

from tests.end_to_end.text_runs import (
    ADDRESS,
    KILLED,
    Start,
    everything,
    parameters,
    run_groups,
)

MALT = parameters(
    trainer="pure_text_malt",
    interaction_protocol="adp",
    # One group, so that there are enough pairs for a job.
    agents={"_default": {"base_url": f"{ADDRESS}/v1", "shared_model_group": "all"}},
    rl={"num_iterations": 2, "rollouts_per_iteration": 10},
    text_rl={"test_scheme": "last"},
)

KILLS = {
    "in the middle of the trees": "die_at_call(RunJournal, 'put', 30, after=True)",
    "with half of a tree stored": "die_at_call(RolloutTable, 'add', 6, after=True)",
    "with a job planned": "die_when_job_is_saved('PLANNED', 1)",
}

NUM_UNDER_WAY = {"with half of a tree stored": 1}
"""Requests that may be under way when a run is killed at another moment than after an answer."""


@pytest.mark.slow
def test_a_killed_run_ends_like_one_that_was_not_and_pays_for_nothing_twice(
    tmp_path: Path,
) -> None:
    folders = {name: tmp_path / str(number) for number, name in enumerate(("never", *KILLS))}
    groups = [[Start(folders["never"], MALT)]]
    for name, kill in KILLS.items():
        # One call at a time: when a run is killed after an answer, no other is under way.
        to_kill = Start(folders[name], MALT, kill, max_concurrency=1)
        groups.append([to_kill, Start(folders[name], MALT)])
    outcomes = run_groups(groups)
    straight = everything(folders["never"])
    for name, ended in zip(KILLS, outcomes[1:], strict=True):
        assert [outcome.exit_code for outcome in ended] == [KILLED, 0], name
        assert everything(folders[name]) == straight, name
    for name, ended in zip(("never", *KILLS), outcomes, strict=True):
        counters = ended[-1].counters
        num_repeated = sum(count - 1 for count in counters["generations"].values())
        assert num_repeated <= NUM_UNDER_WAY.get(name, 0), name
        assert counters["num_jobs"] == len(counters["uploads"]) == 1
