"""The protocol of the guide, in one file outside of the package, is as good as a built-in one."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nip.errors import ParameterError
from nip.parameters import HyperParameters, parameter_groups, protocol_specs
from nip.parameters.parameters_base import parameter_classes
from nip.protocols import build_protocol_handler, protocol_registry
from tests.protocols.play import (
    ACCEPT,
    CONTINUE,
    DECIDED,
    DISTINCT_REWARDS,
    REJECT,
    RUNNING,
    TERMINATED,
    hyper_params_of,
    play,
    writers,
)


@pytest.fixture
def zero_sum_debate(repository: Path) -> Iterator[str]:
    """Import the example, and forget it afterwards."""
    path = repository / "doc" / "examples" / "new_protocol.py"
    spec = importlib.util.spec_from_file_location("new_protocol", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["new_protocol"] = module
    spec.loader.exec_module(module)
    yield "zero_sum_debate"
    for registry in (protocol_registry, protocol_specs, parameter_groups):
        registry.unregister("zero_sum_debate")
    parameter_classes.unregister("ZeroSumDebateParameters")
    del sys.modules["new_protocol"]


def test_it_is_compiled_like_any_other(zero_sum_debate: str) -> None:
    handler = build_protocol_handler(
        hyper_params_of(zero_sum_debate, zero_sum_debate={"num_exchanges": 2})
    )
    assert handler.name == "zero_sum_debate"
    assert handler.max_message_rounds == 5
    for seed, opens, answers in [(0, "prover0", "prover1"), (1, "prover1", "prover0")]:
        speakers = [opens, answers, opens, answers, "verifier"]
        expected = [{(speaker, "main")} for speaker in speakers]
        assert [writers(handler, round_, seed) for round_ in range(5)] == expected


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("round_", "y", "says", "expected"),
    [
        (0, 1, ACCEPT, (RUNNING, [0, 0, 0])),
        (2, 0, REJECT, (DECIDED, [3, -3, 2])),
        (2, 1, REJECT, (DECIDED, [3, -3, -16])),
        (2, 0, ACCEPT, (DECIDED, [-3, 3, -16])),
        (2, 1, ACCEPT, (DECIDED, [-3, 3, 2])),
        (2, 1, CONTINUE, (TERMINATED, [0, 0, -4])),
    ],
)
def test_it_is_played_like_any_other(zero_sum_debate, seed, round_, y, says, expected) -> None:
    handler = build_protocol_handler(
        hyper_params_of(
            zero_sum_debate, zero_sum_debate={"stake": 3.0}, protocol_common=DISTINCT_REWARDS
        )
    )
    assert play(handler, round=round_, y=y, says=says, seed=seed) == expected


def test_its_parameters_are_part_of_the_tree(zero_sum_debate: str) -> None:
    hyper_params = hyper_params_of(zero_sum_debate, zero_sum_debate={"stake": 3.0})
    again = HyperParameters.from_dict(hyper_params.to_dict())
    assert again.get("zero_sum_debate.stake") == 3.0
    assert again.get("zero_sum_debate.num_exchanges") == 1
    with pytest.raises(ParameterError, match=r"zero_sum_debate\.num_exchanges"):
        hyper_params_of(zero_sum_debate, zero_sum_debate={"num_exchanges": 0})


def test_nothing_but_its_own_file_names_it(repository: Path) -> None:
    sources = [*(repository / "nip").rglob("*.py"), *(repository / "scripts").rglob("*.py")]
    assert not [path for path in sources if "zero_sum" in path.read_text(encoding="utf-8")]


def test_a_fresh_process_needs_only_to_import_it(repository: Path) -> None:
    script = """
import json
import new_protocol
from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
handler = build_protocol_handler(HyperParameters(
    scenario="toy", trainer="reinforce", dataset="witness", interaction_protocol="zero_sum_debate"
))
print(json.dumps(handler.active_agents_by_channel(0, 1)))
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository / "doc" / "examples",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == {"main": ["prover1"]}
