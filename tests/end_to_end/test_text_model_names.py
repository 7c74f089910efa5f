"""The names that a service gives to fine-tuned models have no influence on results."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nip.run import run_experiment
from tests.text_experiments import make_text_params, text_settings

FAULTS = ["invalid_answer?rate=0.3", "content_filter?rate=0.1", "job_failed?rate=0.5"]


def dialogues_of(runs_dir: Path, run_id: str) -> tuple[set[str], list[dict[str, Any]]]:
    """Run a rehearsal; return the names of its models, and its dialogues without them."""
    params = make_text_params(
        rehearsal={"faults": FAULTS},
        rl={"num_iterations": 3, "rollouts_per_iteration": 40},
        text_rl={"test_scheme": "none"},
        fine_tuning={"on_failure": "skip"},
    )
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        run_experiment(params, run_id=run_id, settings=text_settings(runs_dir))
    with closing(sqlite3.connect(runs_dir / run_id / "run.db")) as database:
        query = "SELECT record FROM rollouts ORDER BY phase, iteration, position"
        rollouts = [json.loads(row[0]) for row in database.execute(query)]
    for rollout in rollouts:
        rollout["error_message"] = rollout["error_message"].partition(": ")[2]
    messages = [message for rollout in rollouts for message in rollout["messages"]]
    return {message.pop("model") for message in messages}, rollouts


def test_runs_with_different_names_have_the_same_dialogues(tmp_path: Path, recwarn: Any) -> None:
    (names, first), (other_names, second) = (dialogues_of(tmp_path, name) for name in ("a", "b"))
    trained = {name for name in names if name.startswith("ft:")}
    assert trained and not trained & other_names
    assert any(message.get("problems") for rollout in first for message in rollout["messages"])
    assert first == second
