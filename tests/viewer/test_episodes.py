"""Episodes of networks are drawn from what is stored; damaged ones are shown as text."""

import base64
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from nip.run_store import Run
from nip.scenarios.graph_isomorphism.pair_files import read_split
from nip.utils.readable_yaml import dump_readable
from nip.viewer.episodes.graph_layout import distances, layout
from tests.experiments import make_params
from tests.text_experiments import text_settings
from tests.viewer.stored_runs import client_of


def episode(datapoint: int, **changes: Any) -> dict[str, Any]:
    """Return a description of an episode in which the verifier asks, and the prover answers."""
    entry = {
        "datapoint_id": datapoint,
        "label": 1,
        "verdict": "accept",
        "rewards": {"prover": 1.0, "verifier": 0.5},
        "rounds": [
            {
                "round": 1,
                "messages": {"main": {"verifier": {"node_selected": [[0, 2]]}}},
                "decisions": {},
                "message_probabilities": {
                    "main": {"verifier": {"node_selected": [{"0 2": 0.75, "1 1": 0.125}]}}
                },
                "decision_probabilities": {},
            },
            {
                "round": 2,
                "messages": {"main": {"prover": {"node_selected": [[1, 1]]}}},
                "decisions": {"verifier": "accept"},
                "message_probabilities": {},
                "decision_probabilities": {"verifier": {"reject": 0.25, "accept": 0.75}},
            },
        ],
    }
    return {**entry, **changes}


def store(
    runs_dir: Path, data_dir: Path, episodes: str, scenario: str = "graph_isomorphism"
) -> Path:
    params = make_params(scenario, protocol="nip")
    settings = text_settings(runs_dir, data_dir=str(data_dir))
    with Run.open(settings, "drawn", params.to_dict()) as run:
        run.start()
        run.finish("completed")
    (run.folder / "rollouts").mkdir()
    (run.folder / "rollouts" / "iteration_000010.yaml").write_text(episodes, encoding="utf-8")
    return run.folder


@pytest.fixture
def client(tmp_path: Path, data_dir: Path) -> TestClient:
    store(tmp_path / "runs", data_dir, dump_readable([episode(1), episode(0, verdict="none")]))
    return client_of(tmp_path / "runs", tmp_path / "index.db")


def test_graphs_are_drawn_with_the_named_nodes_round_by_round(
    client: TestClient, data_dir: Path
) -> None:
    page = client.get("/runs/drawn/episodes").text
    drawings = re.findall(r'<svg class="graph".*?</svg>', page, re.DOTALL)
    assert len(drawings) == 2 * 2 * 2  # episodes, rounds, graphs
    (dataset,) = (data_dir / "graph_isomorphism").glob("*/raw")
    pairs = read_split(dataset.parent, "test")
    for row, first in ((1, 0), (0, 4)):
        for offset in range(4):
            graph, number = offset % 2, offset // 2
            parsed = ET.fromstring(drawings[first + offset])
            edges = [each for each in parsed if each.tag == "line"]
            assert len(edges) == pairs.adjacency[row, graph].sum() // 2
            nodes = [each for each in parsed if each.get("class") == "node"]
            assert len(nodes) == pairs.sizes[row, graph]
            marks = [each.get("class") for each in parsed if "mark" in each.get("class", "")]
            if graph == 0:
                assert marks == (["mark lane-1"] if number == 0 else ["mark lane-1 earlier"])
            else:
                assert marks == ([] if number == 0 else ["mark lane-0"])


def test_probabilities_are_bars_and_what_was_done_is_highlighted(client: TestClient) -> None:
    page = client.get("/runs/drawn/episodes?outcome=right").text
    bars = re.findall(
        r'<tr( class="chosen")?>\s*<th scope="row">([^<]+)</th>.*?class="value" width="([\d.]+)"',
        page,
        re.DOTALL,
    )
    assert [(name, float(width), bool(chosen)) for chosen, name, width in bars] == [
        ("0 2", 60.0, True),
        ("1 1", 10.0, False),
        ("reject", 20.0, False),
        ("accept", 60.0, True),
    ]
    assert page.count('<section class="card episode"') == 1


def test_a_question_is_followed_through_iterations_and_runs_with_the_same_data(
    tmp_path: Path, data_dir: Path
) -> None:
    folder = store(tmp_path / "runs", data_dir, dump_readable([episode(1), episode(0)]))
    for number in range(20, 100, 10):
        told = dump_readable([episode(11), episode(1, verdict="reject")])
        (folder / "rollouts" / f"iteration_0000{number}.yaml").write_text(told)
    shutil.copytree(folder, tmp_path / "runs" / "same")
    other = tmp_path / "runs" / "other"
    shutil.copytree(folder, other)
    params = (other / "hyper_params.yaml").read_text()
    params = re.sub(r"(?m)^dataset: .*", "dataset: of_others", params)
    (other / "hyper_params.yaml").write_text(params)
    (tmp_path / "runs" / "same" / "rollouts" / "iteration_000050.yaml").write_text("- [")
    client = client_of(tmp_path / "runs", tmp_path / "i.db")
    assert 'href="/runs/drawn/episodes/1">same question' in client.get("/runs/drawn/episodes").text
    page = client.get("/runs/same/episodes/1").text
    found = re.findall(r'<section class="card episode" id="([^"]+)"', page)
    # Six of nine and of the eight that can be read, from the first to the last.
    assert found == [
        *(f"same-{number}" for number in (10, 20, 40, 60, 80, 90)),
        *(f"drawn-{number}" for number in (10, 30, 40, 60, 70, 90)),
    ]
    assert page.count('class="badge outcome-right"') == 2
    assert 'href="/runs/drawn/episodes?iteration=90#episode-1"' in page
    assert "No episode" in client.get("/runs/drawn/episodes/12").text
    assert client.get("/runs/drawn/episodes/x").status_code == 404


DAMAGED = [
    "- [1, 2]\n",
    "- {datapoint_id: -1, label: 1, verdict: x, rewards: {}, rounds: []}\n",
    "- {datapoint_id: <script>, label: 5}\n",
    "a: [",
    "just text",
    "- &a [*a]\n",
    "\x00",
    "",
]


def test_damaged_samples_are_shown_as_text(tmp_path: Path, data_dir: Path) -> None:
    folder = store(tmp_path / "runs", data_dir, "")
    client = client_of(tmp_path / "runs", tmp_path / "i.db")
    for text in DAMAGED:
        path = folder / "rollouts" / "iteration_000010.yaml"
        path.write_text(text, encoding="utf-8")
        answer = client.get("/runs/drawn/episodes")
        assert answer.status_code == 200, text
        assert "Damaged" in answer.text, text
        assert "<script>" not in answer.text


def test_without_the_dataset_the_messages_are_shown(tmp_path: Path) -> None:
    store(tmp_path / "runs", tmp_path / "nowhere", dump_readable([episode(1)]))
    page = client_of(tmp_path / "runs", tmp_path / "i.db").get("/runs/drawn/episodes").text
    assert "No drawing" in page and "<code>0 2</code>" in page


def test_a_pair_that_the_dataset_lacks_is_not_drawn(tmp_path: Path, data_dir: Path) -> None:
    store(tmp_path / "runs", data_dir, dump_readable([episode(10**6)]))
    page = client_of(tmp_path / "runs", tmp_path / "i.db").get("/runs/drawn/episodes").text
    assert "has no pair" in page and '<svg class="graph"' not in page


def test_a_run_without_episodes_says_how_to_get_some(tmp_path: Path, data_dir: Path) -> None:
    folder = store(tmp_path / "runs", data_dir, "")
    (folder / "rollouts" / "iteration_000010.yaml").unlink()
    client = client_of(tmp_path / "runs", tmp_path / "i.db")
    assert "rollout_samples" in client.get("/runs/drawn/episodes").text


def test_images_have_frames_around_the_named_pixels(tmp_path: Path) -> None:
    from io import BytesIO

    from matplotlib.image import imread

    first, second = ({"latent_pixel_selected": [place]} for place in ([0, 1], [1, 0]))
    rounds = [
        {"round": 1, "messages": {"main": {"prover": first}}, "decisions": {}},
        {"round": 2, "messages": {"main": {"prover": second}}, "decisions": {"verifier": "accept"}},
    ]
    stored = dump_readable([episode(0, rounds=rounds)])
    store(tmp_path / "runs", tmp_path, stored, "image_classification")
    page = client_of(tmp_path / "runs", tmp_path / "i.db").get("/runs/drawn/episodes").text
    images = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert len(images) == 2
    pictures = [imread(BytesIO(base64.b64decode(each)), format="png") for each in images]
    assert pictures[0].shape == pictures[1].shape
    changed = np.argwhere((pictures[0] != pictures[1]).any(axis=-1))
    width = pictures[0].shape[1]
    # The second frame is in the second row and the first column of the grid.
    assert len(changed) and changed[:, 0].min() > 0 and changed[:, 1].max() < width / 2


def test_the_layout_keeps_distances_of_a_path_and_of_a_cycle() -> None:
    path = np.eye(5, k=1, dtype=bool)
    places = layout(path | path.T)
    assert distances(path | path.T)[0].tolist() == [0, 1, 2, 3, 4]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    assert apart / apart[0, 1] == pytest.approx(distances(path | path.T), abs=0.05)
    cycle = path | path.T
    cycle[0, 4] = cycle[4, 0] = True
    places = layout(cycle)
    sides = np.linalg.norm(places - np.roll(places, 1, axis=0), axis=1)
    assert sides == pytest.approx(sides.mean(), rel=0.02)
    assert np.array_equal(places, layout(cycle))


@pytest.mark.parametrize("num", [1, 2, 3, 6])
def test_every_layout_is_in_the_unit_square(num: int) -> None:
    rng = np.random.default_rng(num)
    upper = np.triu(rng.random((num, num)) < 0.3, k=1)
    places = layout(upper | upper.T)
    assert places.shape == (num, 2) and np.isfinite(places).all()
    assert places.min() >= 0 and places.max() <= 1
