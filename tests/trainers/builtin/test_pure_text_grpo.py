"""Examples, baselines and jobs of GRPO in a rehearsal."""

import json
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import nip.scenarios.quotes
from nip import prepare_experiment, run_experiment
from nip.errors import NipWarning, ParameterError
from nip.parameters import HyperParameters
from nip.run_store.reading import open_database, read_history, read_state
from nip.trainers.builtin.pure_text_grpo import PureTextGrpoTrainer
from nip.trainers.rl_pure_text_base import TRAINER_STATE_KEY
from tests.text_experiments import text_settings

DELAYED = {"_type": "DelayedUpdateSchedule", "DelayedUpdateSchedule": {"start": 1}}


def make_params(**changes: Any) -> HyperParameters:
    """Return three iterations of ``quotes`` with two mock models."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        return HyperParameters(
            **{
                "scenario": "quotes",
                "dataset": "facts",
                "trainer": "pure_text_grpo",
                "interaction_protocol": "adp",
                "agents": {"_default": {"use_dummy_api": True}},
                "rl": {"num_iterations": 3, "rollouts_per_iteration": 20},
                "fine_tuning": {"backend": "local"},
                "seed": 3,
                **changes,
            }
        )


def run(folder: Path, **changes: Any) -> Path:
    settings = text_settings(folder)
    with patch("nip.run_store.report.learning_curve.draw_learning_curve"):
        run_experiment(make_params(**changes), run_id="run", settings=settings)
    return folder / "run"


def examples(folder: Path, iteration: int, group: str) -> list[dict[str, Any]]:
    path = folder / "fine_tuning" / f"iteration_{iteration:04d}_{group}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def jobs(folder: Path) -> dict[tuple[int, str], Any]:
    with open_database(folder) as database:
        return {
            (row.iteration, row.model_group): row
            for iteration in (1, 2)
            for row in database.jobs.of_iteration(iteration)
        }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes = {"pure_text_grpo": {"scale_rewards": "none", "num_responses_per_timestep": 3}}
    return run(tmp_path_factory.mktemp("plain"), **changes)


def test_advantages_of_the_answers_to_one_dialogue_cancel_out(plain) -> None:
    for group in ("prover", "verifier"):
        by_dialogue = defaultdict(list)
        for line in examples(plain, 1, group):
            by_dialogue[json.dumps(line["input"])].append(line["advantage"])
            assert line["response"][0]["role"] == "assistant"
            assert (line["temperature"], line["policy"], line["is_cut"]) == (1.0, 0, False)
        assert len(by_dialogue) > 5
        for advantages in by_dialogue.values():
            # Mock answers may repeat an argument, and then several points have equal dialogues.
            assert len(advantages) % 3 == 0
            assert sum(advantages) == pytest.approx(0)
            assert any(advantages)


def test_jobs_start_from_the_models_that_have_sampled(plain) -> None:
    rows = jobs(plain)
    assert {row.method for row in rows.values()} == {"policy_gradient"}
    for group in ("prover", "verifier"):
        first, second = rows[1, group], rows[2, group]
        assert second.base_model == first.model != first.base_model
        # The reference stays the base model.
        assert second.hyper_params["policy_gradient"] == {
            "clip_epsilon": 0.2,
            "kl_coefficient": 0.04,
            "reference_model": first.base_model,
            "earlier_models": [],
        }


def test_an_agent_learns_in_the_iterations_and_from_the_window_of_its_own(tmp_path) -> None:
    agents = {
        "_default": {"use_dummy_api": True},
        "prover": {"use_dummy_api": True, "update_schedule": DELAYED, "n_epochs": 4},
        "verifier": {"use_dummy_api": True, "rollout_window": 2, "temperature": 0.7},
    }
    folder = run(tmp_path, agents=agents)
    rows = jobs(folder)
    assert set(rows) == {(1, "verifier"), (2, "prover"), (2, "verifier")}
    assert rows[2, "prover"].hyper_params["n_epochs"] == 4
    given = rows[2, "verifier"].hyper_params["policy_gradient"]
    assert given["earlier_models"] == [rows[1, "verifier"].base_model]
    lines = examples(folder, 2, "verifier")
    # Responses of the iteration before have been written by the model before.
    assert {line["policy"] for line in lines} == {0, 1}
    assert {line["temperature"] for line in lines} == {0.7}
    old = [line for line in lines if line["policy"] == 1]
    assert [{**line, "policy": 0} for line in old] == examples(folder, 1, "verifier")


AGENT_BASELINE = {"pure_text_grpo": {"baseline": "agent", "scale_rewards": "none"}}


def baselines(folder: Path) -> dict[str, float]:
    return read_state(folder, TRAINER_STATE_KEY)["baselines"]


def test_running_means_survive_a_resume(tmp_path) -> None:
    straight = run(tmp_path / "straight", **AGENT_BASELINE)
    original = PureTextGrpoTrainer._updated_baselines
    killed = []

    def interrupt_second(self, groups):
        if self.state.iteration == 1 and not killed:
            killed.append(True)
            # As late as possible before the stage is stored.
            self._baselines = original(self, groups)
            raise KeyboardInterrupt
        return original(self, groups)

    with (
        patch.object(PureTextGrpoTrainer, "_updated_baselines", interrupt_second),
        pytest.raises(KeyboardInterrupt),
    ):
        run(tmp_path / "broken", **AGENT_BASELINE)
    broken = run(tmp_path / "broken", **AGENT_BASELINE)
    for iteration in (1, 2):
        for group in ("prover", "verifier"):
            assert examples(broken, iteration, group) == examples(straight, iteration, group)
    found = baselines(straight)
    assert baselines(broken) == found
    assert set(found) == {"prover", "verifier"}
    first = [line["advantage"] for line in examples(straight, 1, "verifier")]
    # After the first iteration the baseline is the mean of all rewards.
    assert sum(first) == pytest.approx(0)
    assert len(set(first)) == 2


def test_invalid_answers_are_learnt_from_only_if_they_have_a_reward(tmp_path) -> None:
    rules = Path(nip.scenarios.quotes.__file__).with_name("rehearsal_rules.yaml").read_text("utf-8")
    verdicts = 'answers: ["Decision: $accept", "Decision: $reject"'
    assert verdicts in rules
    brain = tmp_path / "rules.yaml"
    brain.write_text(rules.replace(verdicts, f'{verdicts}, "Decision: unsure", "  "'), "utf-8")
    changes = {
        "rehearsal": {"brain_file": str(brain)},
        "rl": {"num_iterations": 2, "rollouts_per_iteration": 20},
    }
    without = run(tmp_path / "without", pure_text_grpo={"scale_rewards": "none"}, **changes)
    options = {"scale_rewards": "none", "invalid_reward": -3.0}
    folder = run(tmp_path / "with", pure_text_grpo=options, **changes)
    texts = [Counter(map(text_of, examples(each, 1, "verifier"))) for each in (folder, without)]
    # The first iteration is sampled by the same models. Blank answers have nothing to learn from.
    journal = invalid_answers(folder)
    assert journal == invalid_answers(without)
    assert set(journal) == {"Decision: unsure", "  "}
    assert texts[0]["Decision: unsure"] == journal["Decision: unsure"] > 5
    assert set(texts[1]) < set(texts[0])
    assert set(texts[0]) - set(texts[1]) == {"Decision: unsure"}
    by_dialogue = defaultdict(list)
    for line in examples(folder, 1, "verifier"):
        by_dialogue[json.dumps(line["input"])].append(line)
        assert line["advantage"] < 0 or text_of(line) != "Decision: unsure"
    for lines in by_dialogue.values():
        assert sum(line["advantage"] for line in lines) == pytest.approx(0)
    assert examples(folder, 1, "prover") == examples(without, 1, "prover")
    for metric in ("mean_accuracy", "invalid_share", "verifier.mean_expected_reward_round_2"):
        values = [next(iter(read_history(each).values(metric))) for each in (folder, without)]
        assert values[0] == values[1]


def text_of(line: dict[str, Any]) -> str:
    return line["response"][0]["content"]


def invalid_answers(folder: Path) -> Counter[str]:
    """Return how often each text was an invalid verdict in the first iteration."""
    with open_database(folder) as database:
        entries = database.journal.below("train/0")
    return Counter(entry["text"] for key, entry in entries if "/verifier/" in key)


def test_an_agent_must_not_give_the_same_answer_again_and_again(tmp_path) -> None:
    params = make_params(agents={"_default": {"use_dummy_api": True, "temperature": 0.0}})
    with pytest.raises(ParameterError, match=r"agents.prover.temperature must be above 0"):
        run_experiment(params, run_id="run", settings=text_settings(tmp_path))
    assert not (tmp_path / "run").exists()


def test_a_backend_without_policy_gradients_is_refused(tmp_path) -> None:
    params = make_params(fine_tuning={"backend": "openai"})
    with pytest.raises(
        ParameterError, match=r"'policy_gradient'.*Set fine_tuning.backend to local"
    ):
        prepare_experiment(params, settings=text_settings(tmp_path))


def test_a_group_scale_does_not_fit_the_mean_of_the_agent() -> None:
    with pytest.raises(ParameterError, match="scale_rewards must be 'batch' or 'none'"):
        make_params(pure_text_grpo={"baseline": "agent"})


def test_starting_from_scratch_has_no_effect() -> None:
    agents = {"_default": {"use_dummy_api": True, "fine_tune_from_scratch": False}}
    with pytest.warns(NipWarning, match="always starts from the model that has sampled"):
        HyperParameters(scenario="quotes", dataset="facts", trainer="pure_text_grpo", agents=agents)
