"""Runs made of given dialogues, without an experiment."""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from starlette.testclient import TestClient

from nip.run_store import Run
from nip.scenarios.code_validation.scenario import CodeValidationScenario
from nip.viewer.app import build_app
from nip.viewer.web.options import ViewerOptions
from tests.text_experiments import make_text_params, text_settings


def client_of(runs_dir: Path, index: Path) -> TestClient:
    """Return a client of the viewer, as a browser on this machine."""
    app = build_app(ViewerOptions(runs_dir, index))
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=True)


def questions(runs_dir: Path) -> list[Any]:
    params = make_text_params()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(CodeValidationScenario(params, text_settings(runs_dir)).load_dataset("train"))


def message(agent: str, round: int, text: str, **changes: Any) -> dict[str, Any]:
    """Return the record of a message on the only channel of the protocol ``nip``."""
    entry = {"round": round, "agent": agent, "text": text, "channel_texts": {"main": text}}
    return {**entry, "prompt_tokens": 100, "completion_tokens": 10, **changes}


def record(question: Any, index: int, position: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the record of a dialogue of three messages, with a right verdict."""
    said = [
        message("verifier", 1, "What does the loop do?"),
        message("prover", 2, "It adds up all items."),
        message("verifier", 3, f"Agreed.\n\nDecision: {('reject', 'accept')[question.y]}",
                channel_texts={"main": "Agreed."}, decision=question.y),
    ]  # fmt: skip
    entry = {
        "position": position,
        "datapoint": index,
        "datapoint_id": question.id,
        "copy": 0,
        "seed": 5,
        "y": question.y,
        "prover_stance": question.prover_stance,
        "status": "completed",
        "verdict": question.y,
        "verdict_value": 2.0 * question.y - 1,
        "is_terminated": False,
        "error": "",
        "error_message": "",
        "messages": said,
        "rewards": [[0.0, 0.0], [0.0, 0.0], [1.0, 0.5]],
        "warnings": [],
    }
    return {**entry, **changes}


def store_run(
    runs_dir: Path,
    run_id: str,
    records: Iterable[Mapping[str, Any]],
    iteration: int = 1,
    metrics: Mapping[int, Mapping[str, float]] | None = None,
    **changes: Any,
) -> Path:
    """Store a run of language models with these dialogues; return its folder."""
    params = make_text_params(**changes).to_dict()
    with Run.open(text_settings(runs_dir), run_id, params) as run:
        run.start()
        for step, values in (metrics or {1: {"mean_accuracy": 0.5}}).items():
            run.log(step, values)
        with run.transaction():
            for each in records:
                run.rollouts.add("train", iteration, each["position"], each)
        # A plot takes longer than everything else.
        with mock.patch.object(Run, "_draw_learning_curve"):
            run.finish("completed")
    return runs_dir / run_id
