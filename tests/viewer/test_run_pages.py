"""Pages about runs show what is stored, also while a run is going on."""

import re
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nip.run_store import Run, read_history
from nip.run_store.database.bill import WAITS_KEY
from tests.text_experiments import make_text_params, text_settings
from tests.viewer.stored_runs import client_of, store_run


def run_ids(page: str) -> list[str]:
    return re.findall(r'<a data-open href="/runs/([^"/]+)">', page)


def test_all_runs_are_listed_with_their_last_metrics(client: TestClient, runs_dir: Path) -> None:
    page = client.get("/runs").text
    assert sorted(run_ids(page)) == ["open", "private"]
    accuracy = read_history(runs_dir / "open").latest("mean_accuracy")
    assert f"{accuracy:.4g}" in page
    assert page.count("completed</span>") == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=priv", ["private"]),
        ("q=interaction_protocol=nip+open", ["open"]),
        ("q=interaction_protocol=mnip", ["private"]),
        ("protocol=nip", ["open"]),
        ("status=failed", []),
        ("scenario=code_validation&sort=name", ["open", "private"]),
        ("q=<script>", []),
    ],
)
def test_runs_are_filtered(client: TestClient, query: str, found: list[str]) -> None:
    assert run_ids(client.get(f"/runs?{query}").text) == found
    assert run_ids(client.get(f"/runs/table?{query}").text) == found


def test_runs_are_ordered_by_a_metric(tmp_path: Path) -> None:
    for run_id, value in (("low", 0.1), ("high", 0.9), ("middle", 0.5)):
        store_run(tmp_path / "runs", run_id, [], metrics={1: {"mean_accuracy": value}})
    store_run(tmp_path / "runs", "none", [], metrics={1: {"loss": 1.0}})
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    page = client.get("/runs?sort=mean_accuracy&metric=mean_accuracy").text
    assert run_ids(page) == ["high", "middle", "low", "none"]


def test_curves_are_the_stored_metrics(client: TestClient, runs_dir: Path) -> None:
    curves = client.get("/curves.json?run=open&run=private&metric=mean_accuracy").json()
    assert curves["runs"] == ["open", "private"]
    assert curves["is_live"] is False
    (panel,) = curves["panels"]
    for series in panel["series"]:
        history = read_history(runs_dir / series["run"])
        assert [tuple(point) for point in series["points"]] == history.values("mean_accuracy")
        low, high = (dict(history.values(f"mean_accuracy_ci_{end}")) for end in ("low", "high"))
        assert series["band"] == [[i, low[i], high[i]] for i in sorted(low)]
    titles = [panel["title"] for panel in client.get("/curves.json?run=open").json()["panels"]]
    assert titles[0] == "Accuracy"


def test_a_run_shows_its_stages_jobs_and_calls(client: TestClient) -> None:
    page = client.get("/runs/open").text
    for iteration in (1, 2):
        assert f"/runs/open/dialogues?phase=train&amp;iteration={iteration}" in page
    assert page.count('<span class="badge job-succeeded">') == 2
    assert "Calls" in page and "Starts" in page


def test_parameters_that_differ_are_highlighted(client: TestClient) -> None:
    page = client.get("/compare?run=open&run=private").text
    rows = dict(re.findall(r'<tr( class="differs")?><th scope="row">([^<]+)</th>', page)[::-1])
    differing = [name for mark, name in re.findall(
        r'<tr( class="differs")?><th scope="row">([^<]+)</th><td>', page) if mark]  # fmt: skip
    assert "interaction_protocol" in differing
    assert "seed" not in differing
    assert rows
    alone = client.get("/runs/open").text
    assert '<tr class="differs"><th scope="row">rl.num_iterations</th><td>2</td>' in alone
    assert '<tr><th scope="row">rl.lr</th>' in alone


def test_statistics_are_those_of_the_comparison(tmp_path: Path) -> None:
    from nip.comparison import compare_runs
    from nip.comparison.tables import text_tables

    values = {1: (0.2, 0.3, 0.4), 2: (0.6, 0.7, 0.9)}
    ids = [f"g{group}s{seed}" for group in values for seed in range(3)]
    for group, found in values.items():
        for seed, value in enumerate(found):
            store_run(
                tmp_path / "runs", f"g{group}s{seed}", [], seed=seed,
                metrics={1: {"mean_accuracy": value}}, rl={"num_iterations": group},
            )  # fmt: skip
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    page = unescape(client.get("/statistics", params={"run": ids}).text)
    tables = list(text_tables(compare_runs(ids, tmp_path / "runs")))
    assert len(tables) > 1
    for table in tables:
        for row in table.rows:
            assert all(f">{cell}</td>" in page for cell in row)
    alone = client.get("/statistics", params={"run": ids, "unit": "nothing"})
    assert alone.status_code == 200 and "unit must be one of" in alone.text
    assert client.get("/statistics?run=nothing").status_code == 404


def test_a_run_that_goes_on_is_shown_as_running_and_a_killed_one_as_interrupted(
    tmp_path: Path,
) -> None:
    params = make_text_params().to_dict()
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    with Run.open(text_settings(tmp_path / "runs"), "going", params) as run:
        run.start()
        run.log(1, {"mean_accuracy": 0.25})
        assert "status-running" in client.get("/runs/going/live?part=overview").text
        assert client.get("/curves.json?run=going").json()["is_live"] is True
        assert "0.25" in client.get("/runs/table").text
        run.log(2, {"mean_accuracy": 0.375})
        assert "0.375" in client.get("/runs/table").text
    assert "status-interrupted" in client.get("/runs/going/live?part=overview").text


def test_a_run_that_waits_for_a_service_says_since_when_and_until_when(tmp_path: Path) -> None:
    params = make_text_params().to_dict()
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    wait = {"since": "2026-01-02T03:04:05+00:00", "until": "2026-01-02T04:00:00+00:00",
            "reason": "Rate <b>limit</b>."}  # fmt: skip
    with Run.open(text_settings(tmp_path / "runs"), "waiting", params) as run:
        run.start()
        run.set_state(WAITS_KEY, {"gpt": wait})
        page = client.get("/runs/waiting").text
        assert "Waits for gpt since 2026-01-02" in page and "Rate &lt;b&gt;limit" in page
        run.set_state(WAITS_KEY, {})
        assert "Waits for" not in client.get("/runs/waiting/live?part=overview").text


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    params = make_text_params().to_dict()
    with Run.open(text_settings(tmp_path / "runs"), "broken", params) as run:
        run.start()
        run.finish("failed", "ServiceUnavailableError: no answer <b>for</b> an hour")
    client = client_of(tmp_path / "runs", tmp_path / "index.db")
    for path in ("/runs", "/runs/broken"):
        assert "no answer &lt;b&gt;for&lt;/b&gt; an hour" in client.get(path).text


def test_damaged_files_are_reported_and_other_runs_shown(tmp_path: Path) -> None:
    runs_dir = tmp_path / "runs"
    for run_id in ("sound", "database", "parameters"):
        store_run(runs_dir, run_id, [])
    (runs_dir / "database" / "run.db").write_bytes(b"no database" * 1000)
    (runs_dir / "parameters" / "hyper_params.yaml").write_text("a: [", encoding="utf-8")
    client = client_of(runs_dir, tmp_path / "index.db")
    page = client.get("/runs").text
    assert sorted(run_ids(page)) == ["database", "parameters", "sound"]
    assert page.count("status-unreadable") == 2
    for run_id in ("database", "parameters"):
        answer = client.get(f"/runs/{run_id}")
        assert answer.status_code == 200 and "status-unreadable" in answer.text
    answer = client.get("/runs/database/dialogues")
    assert answer.status_code == 500 and "run.db is damaged" in answer.text


def test_an_empty_or_missing_folder_says_so(tmp_path: Path) -> None:
    client = client_of(tmp_path / "nowhere", tmp_path / "index.db")
    assert "There is no folder" in client.get("/runs").text
    (tmp_path / "nowhere").mkdir()
    assert "There are no runs yet" in client.get("/runs").text
    assert client.get("/search?q=x").status_code == 200
