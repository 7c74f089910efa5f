"""Messages, rollouts and state after a SIGKILL at chosen points."""

import pytest

from nip.experiment_settings import ExperimentSettings
from nip.run_store import Run
from tests.run_store.kill import run_until_killed

PUT_TWO = """
run = open_run()
run.journal.put("train/0/0/0/prover/0", {"text": "a"})
run.journal.put("train/0/0/1/verifier/0", {"text": "b"})
"""
PIECES = {
    "after_a_message": PUT_TWO + "die()",
    "between_storing_a_rollout_and_forgetting_its_messages": PUT_TWO
    + """
run.journal.forget = die
run.rollouts.add("train", 0, 0, {"messages": ["a", "b"]}, forget="train/0/0")
""",
    "after_a_rollout": PUT_TWO
    + """
run.rollouts.add("train", 0, 0, {"messages": ["a", "b"]}, forget="train/0/0")
die()
""",
    "within_a_transaction": PUT_TWO
    + """
with run.transaction():
    run.rollouts.add("train", 0, 0, {"messages": ["a", "b"]}, forget="train/0/0")
    run.log(0, {"loss": 1.0})
    run.set_state("stage", "log_stats")
    die()
""",
    "after_a_transaction": PUT_TWO
    + """
with run.transaction():
    run.rollouts.add("train", 0, 0, {"messages": ["a", "b"]}, forget="train/0/0")
    run.log(0, {"loss": 1.0})
    run.set_state("stage", "log_stats")
die()
""",
}
# Messages in the journal, rollouts, metrics, stage.
EXPECTED = {
    "after_a_message": (2, [], [], None),
    "between_storing_a_rollout_and_forgetting_its_messages": (2, [], [], None),
    "after_a_rollout": (0, [{"messages": ["a", "b"]}], [], None),
    "within_a_transaction": (2, [], [], None),
    "after_a_transaction": (0, [{"messages": ["a", "b"]}], ["loss"], "log_stats"),
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    run_until_killed(folder, PIECES)
    return folder


@pytest.mark.parametrize("moment", PIECES)
def test_a_kill_leaves_all_or_nothing_of_a_transaction(killed, moment):
    with Run.open(ExperimentSettings(runs_dir=killed / moment), "r", {"seed": 1}, "must") as run:
        rollouts = list(run.rollouts.load("train", 0))
        found = (len(run.journal), rollouts, run.history.names(), run.get_state("stage"))
    assert found == EXPECTED[moment]
