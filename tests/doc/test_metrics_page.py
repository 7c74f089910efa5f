"""The page on metrics names what is logged, no more and no less, and gives its range."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from nip.protocols import protocol_registry
from nip.run import run_experiment
from tests.doc.pages import DOC
from tests.experiments import make_params, make_settings

PAGE = DOC / "reference" / "metrics.md"

ALARM = {"warmup": 0, "window": 2, "action": "stop"}

CASES = {
    **{protocol: {"protocol": protocol} for protocol in protocol_registry.names()},
    "kl": {"ppo": {"loss_type": "kl_penalty"}},
    "reinforce": {"trainer": "reinforce"},
    "critic": {"trainer": "reinforce", "reinforce": {"use_advantage_and_critic": True}},
    "pretrained": {"pretrain_agents": True},
    "solo": {"trainer": "solo_agent"},
    "spg": {"trainer": "spg"},
    **{
        game: {"scenario": "matrix_games", "trainer": "spg", "dataset": game, "agents": None}
        for game in ("commitment", "iterated_prisoners_dilemma", "matching_pennies", "tandem")
    },
    "linear": {"include_linear_message_space": True},
    "zero knowledge": {"protocol_common": {"zero_knowledge": True}},
    "opponents": {
        "protocol": "debate",
        "opponent_pool": {"agents": ["prover0"], "snapshot_every": 1},
        "callbacks": [
            {"name": "attack", "every": 1, "num_iterations": 1},
            {"name": "constant_verifier", **ALARM},
            {"name": "silent_prover", **ALARM},
            {"name": "label_leak", "every": 1, **ALARM},
        ],
    },
    "message regression": {"message_regression": {"enabled": True}},
    "terms": {
        "eval_every": 1,
        "loss_terms": [{"name": "l2", "weight": 0.01}, "proximal", {"name": "l2", "weight": 0.1}],
    },
}
# The figures of an episode only appear where one ends, and completeness where its label is 1.
LONG = {"rl": {"rollouts_per_iteration": 16, "minibatch_size": 16}}


def quantity(name: str, agents: tuple[str, ...]) -> str:
    """Return a metric's name as the page gives it."""
    for agent in agents:
        name = re.sub(rf"^(pretrain_)?(test_)?{agent}\.", "<agent>.", name)
    name = re.sub(r"^(pretrain_)?(test_)?", "", name)
    name = re.sub(r"(cooperation_after)_\w+$", r"\1_<situation>", name)
    return re.sub(r"^loss_(l2|proximal)(_\d)?$", "loss_<term>", name)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """Run everything in small; return the values that each quantity took."""
    values = defaultdict(list)
    for case, changes in CASES.items():
        params = make_params(**{**LONG, **changes})
        settings = make_settings(tmp_path_factory.mktemp(case))
        run_experiment(params, run_id="run", settings=settings)
        agents = protocol_registry[params.interaction_protocol](params).agent_names
        for name, history in _histories(Path(settings.runs_dir) / "run").items():
            values[quantity(name, agents)] += history
    return dict(values)


def _histories(folder: Path) -> dict[str, list[float]]:
    from nip.run_store import read_history

    history = read_history(folder)
    return {name: [value for _, value in history.values(name)] for name in history.names()}


def rows() -> dict[str, str]:
    """Return the range of each metric on the page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^\| `([^`]+)` \| .+? \| (.+?) \| .+ \|$", text, re.M)
    assert len(dict(found)) == len(found)
    return dict(found)


def test_every_metric_is_explained(logged: dict[str, list[float]]) -> None:
    assert sorted(set(logged) - set(rows())) == []


def test_every_metric_on_the_page_is_logged(logged: dict[str, list[float]]) -> None:
    assert sorted(set(rows()) - set(logged)) == []


def test_the_ranges_hold(logged: dict[str, list[float]]) -> None:
    checked = 0
    for name, words in rows().items():
        limits = re.match(r"[\[(]([\d./]+), ([\d./]+)\]$", words)
        at_least, at_most = words.startswith("≥ 0"), words.startswith("≤ 0")
        for value in logged[name]:
            if limits:
                low, high = (_number(text) for text in limits.groups())
                assert low - 1e-6 <= value <= high + 1e-6, (name, value)
            assert not at_least or value >= 0, (name, value)
            assert not at_most or value <= 0, (name, value)
        checked += bool(limits or at_least or at_most)
    assert checked > 25


def _number(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return float(numerator) / float(denominator or 1)
