"""The page on metrics of dialogues names what is computed, no more and no less."""

import re
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

from nip.experiment_settings import ExperimentSettings
from nip.parameters import HyperParameters
from nip.robustness.callbacks.constant_verifier import ConstantVerifier
from nip.scenarios.quotes.scenario import QuotesScenario
from nip.trainers.core.context import TrainingContext
from nip.trainers.text.preference_pairs import pair_rules
from nip.trainers.text.statistics import first_verifier_statistics, rollout_statistics
from nip.trainers.text.tree_statistics import INFORMATIVE, PAIRS, REWARD, tree_statistics
from tests.doc.pages import DOC
from tests.protocols.play import handler_of
from tests.trainers.rollout_tables import NUM_ROUNDS, make_rollouts
from tests.trainers.text.test_preference_pairs import RULES, grow

PAGE = DOC / "reference" / "text_metrics.md"

PASSAGE = "Ada has number 3."
SAID = ["Trust me.", '"Ada"', '"Ben"']
SCENARIO = QuotesScenario(
    HyperParameters(scenario="quotes", trainer="pure_text_ei", dataset="facts"),
    ExperimentSettings(),
)
"""A scenario with metrics of its own."""


@pytest.fixture(scope="module")
def computed() -> dict[str, list[float]]:
    """Return the values that each metric takes, over protocols and many batches."""
    values = defaultdict(list)
    rng = np.random.default_rng(0)
    for protocol in map(handler_of, ("nip", "debate", "merlin_arthur")):
        num_agents, size = protocol.num_agents, 60
        for _ in range(5):
            turns = (size, NUM_ROUNDS, num_agents)
            verdict = rng.integers(0, 3, size)
            rollouts = make_rollouts(
                num_agents,
                datapoint_id=[f"question {row % 12}" for row in range(size)],
                y=rng.integers(0, 2, size),
                verdict=verdict,
                verdict_value=np.where(verdict == 2, np.nan, rng.uniform(-1, 1, size)),
                failed=rng.random(size) < 0.1,
                num_rounds=rng.integers(1, NUM_ROUNDS + 1, size),
                reward=rng.normal(size=turns),
                num_retries=rng.integers(0, 2, turns),
                invalid=rng.random(turns) < 0.1,
                cut=rng.random(turns) < 0.1,
                prompt_tokens=rng.integers(0, 100, turns),
                completion_tokens=rng.integers(0, 100, turns),
            )
            rollouts["question"] = [PASSAGE] * size
            rollouts["agents", "text"] = rng.choice(SAID, turns)
            judged = rollouts[rng.random(size) < 0.9]
            judged["verdict"] = rng.integers(0, 3, len(judged))
            found = rollout_statistics(rollouts, protocol, scenario=SCENARIO)
            found |= first_verifier_statistics(rollouts, judged, protocol)
            context = TrainingContext(trainer=SimpleNamespace(), rollouts=rollouts)
            found |= ConstantVerifier().figures(context)
            for name, value in found.items():
                agent, dot, figure = name.rpartition(".")
                assert not dot or agent in protocol.agent_names
                values[f"<agent>.{figure}" if dot else figure].append(value)
    of_trees = tree_statistics(
        [grow()], pair_rules(RULES.protocol), RULES.episode, (REWARD, PAIRS, INFORMATIVE)
    )
    for name, value in of_trees.items():
        figure = re.sub(r"\d+$", "<r>", name.partition(".")[2])
        values[f"<agent>.{figure}"].append(value)
    return dict(values)


def rows() -> dict[str, tuple[str, bool]]:
    """Return the range of each metric on the page, and whether it has an interval."""
    pattern = r"^\| `([^`]+)` \| .+? \| (.+?) \| .+ \| (yes |)\|$"
    found = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.M)
    names = [name for name, _, _ in found]
    assert len(set(names)) == len(names)
    return {name: (limits, bool(interval)) for name, limits, interval in found}


def names_on_the_page() -> set[str]:
    ends = ("_ci_low", "_ci_high")
    with_interval = {name for name, (_, has_interval) in rows().items() if has_interval}
    return set(rows()) | {name + end for name in with_interval for end in ends}


def test_the_page_names_exactly_what_is_computed(computed: dict[str, list[float]]) -> None:
    assert sorted(set(computed) - names_on_the_page()) == []
    assert sorted(names_on_the_page() - set(computed)) == []


def test_the_ranges_hold(computed: dict[str, list[float]]) -> None:
    checked = 0
    for name, (words, _) in rows().items():
        limits = re.match(r"\[([\d.−]+), ([\d.−]+)\]$", words)
        least = re.match(r"≥ (\d)$", words)
        for value in computed[name]:
            if limits:
                low, high = (float(text.replace("−", "-")) for text in limits.groups())
                assert low - 1e-9 <= value <= high + 1e-9, (name, value)
            assert not least or value >= float(least[1]), (name, value)
        checked += bool(limits or least)
    assert checked > 20


def test_intervals_hold_their_metric(computed: dict[str, list[float]]) -> None:
    for name in [name for name, (_, has_interval) in rows().items() if has_interval]:
        lows, highs = computed[f"{name}_ci_low"], computed[f"{name}_ci_high"]
        assert all(
            low <= value <= high
            for low, value, high in zip(lows, computed[name], highs, strict=True)
        )


def test_what_bears_the_same_name_means_the_same_for_tensors() -> None:
    other = (DOC / "reference" / "metrics.md").read_text(encoding="utf-8")
    shared = [name for name in rows() if f"| `{name}` |" in other]
    for name in shared:
        other_range = re.search(rf"^\| `{re.escape(name)}` \| .+? \| (.+?) \|", other, re.M)
        assert other_range, name
        if other_range[1].startswith("["):
            assert other_range[1][1] == rows()[name][0].lstrip("[≥ ")[0], name
    assert len(shared) >= 14
