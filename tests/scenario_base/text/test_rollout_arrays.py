"""Rollouts become arrays with axes for rollouts, rounds, agents and channels."""

from dataclasses import replace

import numpy as np

from nip.scenario_base.text.rollout_arrays import rollouts_to_arrays
from tests.scenario_base.text.dialogues import DATAPOINT, PLAN, rules_of, two_rollouts


def test_rollouts_become_arrays() -> None:
    protocol = rules_of("debate").protocol
    finished, failed = two_rollouts()
    other = replace(DATAPOINT, id="p2-b", question="Halve x.")
    failed = replace(failed, datapoint=1, datapoint_id="p2-b")
    arrays = rollouts_to_arrays([finished, failed], [DATAPOINT, other], protocol)
    assert arrays.batch_size == (2,)
    single = {
        "position": [3, 3],
        "datapoint": [0, 1],
        "datapoint_id": ["p1-a", "p2-b"],
        "copy": [PLAN.copy] * 2,
        "seed": [PLAN.seed] * 2,
        "y": [1, 1],
        "prover_stance": [0, 0],
        "num_rounds": [3, 1],
        "verdict": [1, 2],
        "failed": [False, True],
        "terminated": [False, False],
        "error": ["", "ContentFilterError"],
        "question": ["Double x.", "Halve x."],
        "solution": ["print(2 * x)"] * 2,
    }
    assert {name: arrays[name].tolist() for name in single} == single
    np.testing.assert_array_equal(arrays["verdict_value"], [1.0, np.nan])
    agents = arrays["agents"]
    assert agents["active"].shape == (2, 8, 3)
    # Rounds 0 to 2 of the finished one: verifier, both provers, verifier.
    expected = [[False, False, True], [True, True, False], [False, False, True]]
    assert agents["active"][0, :3].tolist() == expected
    assert not agents["active"][0, 3:].any()
    assert agents["text"][0, 1].tolist() == ["It is wrong.", "It is right.", ""]
    assert agents["channel_text"][0, 0, 2].tolist() == ["Why?", "How?"]
    assert agents["channel_text"][0, 1].tolist()[:2] == [["It is wrong.", ""], ["", "It is right."]]
    assert agents["decision"][0, 2].tolist() == [2, 2, 1]
    assert agents["reward"][0, 2].tolist() == [0.0, 1.0, 1.0]
    assert agents["num_retries"][0, 1].tolist() == [1, 0, 0]
    assert agents["prompt_tokens"][0, 1].tolist() == [20, 10, 0]
    assert agents["completion_tokens"][0, 2].tolist() == [0, 0, 2]
    assert not agents["reward"][1].any()
    assert not agents["invalid"].any()


def test_no_rollouts_give_empty_arrays() -> None:
    arrays = rollouts_to_arrays([], [], rules_of("nip").protocol)
    assert len(arrays) == 0
    assert arrays["agents", "channel_text"].shape == (0, 8, 2, 1)
    assert arrays["question"].shape == (0,)
