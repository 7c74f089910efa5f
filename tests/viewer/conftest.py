"""Finished runs of language models, with everything that their agents were sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nip.language_models.engine.engine import Engine
from tests.text_experiments import run_text_experiment
from tests.viewer.stored_runs import client_of

Sent = dict[str, list[Any]]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sent]:
    """Run two experiments; return the folder of runs, and the messages of each request by key."""
    runs_dir = tmp_path_factory.mktemp("runs")
    sent: Sent = {}
    complete = Engine.complete

    async def recorded(self: Engine, call: Any) -> Any:
        sent.setdefault(f"{current}/{call.key}", []).append(list(call.messages))
        return await complete(self, call)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "complete", recorded)
        for current, protocol in (("open", "nip"), ("private", "mnip")):
            run_text_experiment(
                runs_dir,
                current,
                interaction_protocol=protocol,
                rl={"num_iterations": 2},
            )
    return runs_dir, sent


@pytest.fixture(scope="session")
def runs_dir(played: tuple[Path, Sent]) -> Path:
    return played[0]


@pytest.fixture(scope="session")
def client(runs_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(runs_dir, tmp_path_factory.mktemp("index") / "index.db") as found:
        yield found
