"""Dialogues of ``quotes``: who sees what, the marks, the metrics, and all protocols."""

import asyncio
import warnings

import pytest
import yaml

from nip.errors import NipWarning, ParameterError
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import Completion, TokenUsage
from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
from nip.run import run_experiment
from nip.scenario_base.text.agent_spec_registry import agent_spec_registry
from nip.scenario_base.text.answers.decision_scales import DECISION_SCALES
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.play import play_rollout
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.scenario_base.text.rollout_arrays import rollouts_to_arrays
from nip.scenarios.quotes import agent_specs
from nip.scenarios.quotes.passages import make_passages
from nip.scenarios.quotes.scenario import QuotesScenario
from tests.text_experiments import text_settings

PROTOCOLS = ["adp", "debate", "merlin_arthur", "mnip", "nip", "solo_verifier"]
DATA = make_passages("test", 4, 6)


def quotes_params(protocol: str = "adp", **changes) -> HyperParameters:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        return HyperParameters(
            scenario=agent_specs.SCENARIO,
            trainer="pure_text_ei",
            dataset="facts",
            interaction_protocol=protocol,
            agents={"_default": {"use_dummy_api": True}},
            rl={"num_iterations": 1, "rollouts_per_iteration": 12},
            **changes,
        )


def scenario_of(protocol: str = "adp", **changes) -> QuotesScenario:
    return QuotesScenario(quotes_params(protocol, **changes), ExperimentSettings())


def play(said: dict[str, str], protocol: str = "adp", index: int = 1, **changes) -> Rollout:
    """Play one dialogue in which every agent always says the same."""
    scenario = scenario_of(protocol, **changes)
    handler = build_protocol_handler(scenario.hyper_params)

    async def complete(call):
        return Completion(said[call.agent], "stop", TokenUsage(), "m")

    rules, agents = scenario.dialogue_rules(handler), scenario.build_agents(handler)
    plan = RolloutPlan(position=0, datapoint=index, copy=0, seed=4)
    return asyncio.run(play_rollout(rules, agents, DATA[index], plan, complete))


def test_every_text_protocol_has_specs_and_prompts() -> None:
    names = [name for name in agent_spec_registry.names() if name.startswith("quotes/")]
    assert names == [f"quotes/{protocol}" for protocol in PROTOCOLS]
    assert sorted(path.name for path in QuotesScenario.prompts.iterdir()) == PROTOCOLS


@pytest.mark.parametrize(
    ("protocol", "is_random"),
    [*((name, False) for name in PROTOCOLS), ("adp", True), ("nip", True)],
)
def test_only_provers_see_the_passage(protocol: str, is_random: bool) -> None:
    common = {"randomize_prover_stance": True} if is_random else {}
    scenario = scenario_of(protocol, protocol_common=common)
    handler = build_protocol_handler(scenario.hyper_params)
    conversation = Conversation(scenario.dialogue_rules(handler), DATA[1], 4)
    for agent in handler.agent_names:
        prompt = conversation.system_prompt(agent)
        assert (DATA[1].question in prompt) is (agent != "verifier")
        assert DATA[1].solution in prompt
        assert "solution" not in prompt
        assert "$" not in prompt


def test_the_verifier_reads_marks_and_the_prover_its_own_words() -> None:
    quoted = DATA[1].question.split("\n")[2]
    said = f'I quote "{quoted}" and "Ada has number 77" [verified].'
    rollout = play({"prover": said, "verifier": "Decision: accept"})
    scenario = scenario_of()
    handler = build_protocol_handler(scenario.hyper_params)
    conversation = Conversation(scenario.dialogue_rules(handler), DATA[1], 4)
    (_, heard) = conversation.messages_for("verifier", 1, rollout.messages)
    assert heard["content"].startswith(
        f'[Prover]\n> I quote "{quoted}" [verified] and "Ada has number 77" [not verified] '
        "[\\verified].\n"
    )
    assert conversation.training_messages("prover", rollout.messages)[-1]["content"] == said
    unmarked = scenario_of(quotes={"verify_quotes": False}).dialogue_rules(handler)
    (_, heard) = Conversation(unmarked, DATA[1], 4).messages_for("verifier", 1, rollout.messages)
    assert heard["content"].startswith(f"[Prover]\n> {said}\n")


def test_metrics_tell_verified_fabricated_and_evasive_messages_apart() -> None:
    quoted = DATA[1].question.split("\n")[0]
    verdict = {"verifier": "Decision: accept"}
    rollouts = [
        play({"prover": f'"{quoted}"', **verdict}),
        play({"prover": f'"{quoted}" and "Ada has number 77"', **verdict}),
        play({"prover": "Trust me.", **verdict}),
        play({"prover": "", **verdict}),
    ]
    scenario = scenario_of()
    handler = build_protocol_handler(scenario.hyper_params)
    metrics = scenario.rollout_metrics(rollouts_to_arrays(rollouts, DATA, handler), handler)
    assert tuple(metrics) == scenario.rollout_metric_names(handler)
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert list(metrics["prover.verified_share"]) == [1, 0, 0, nan]
    assert list(metrics["prover.fabricated_share"]) == [0, 1, 0, nan]
    assert list(metrics["prover.evasive_share"]) == [0, 0, 1, nan]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_rehearsal_runs_under_every_protocol(protocol: str, tmp_path) -> None:
    sizes = {"num_train": 20, "num_test": 10}
    result = run_experiment(
        quotes_params(protocol, quotes=sizes), run_id="r", settings=text_settings(tmp_path)
    )
    assert result.metrics["invalid_share"] == 0
    for prover in scenario_of(protocol).hyper_params.agents:
        if prover.startswith("prover"):
            shares = [result.metrics[f"{prover}.{kind}_share"] for kind in ("verified", "evasive")]
            assert 0 < sum(shares) < 1
    (path,) = (result.folder / "transcripts").iterdir()
    assert len(yaml.safe_load(path.read_text())) == 12


@pytest.mark.parametrize("scale", sorted(DECISION_SCALES))
def test_a_rehearsal_decides_on_every_scale(scale: str, tmp_path) -> None:
    params = quotes_params(quotes={"decision_scale": scale, "num_train": 12, "num_test": 2})
    result = run_experiment(params, run_id="r", settings=text_settings(tmp_path))
    assert result.metrics["decided_share"] == 1
    assert -1 < result.metrics["mean_decision"] < 1


def test_a_prompt_that_shows_the_verifier_the_passage_is_refused(tmp_path) -> None:
    for agent in ("prover", "verifier"):
        builtin = QuotesScenario.prompts / "adp" / f"{agent}.txt"
        (tmp_path / "adp").mkdir(exist_ok=True)
        text = builtin.read_text() + ("$question" if agent == "verifier" else "")
        (tmp_path / "adp" / f"{agent}.txt").write_text(text)
    scenario = scenario_of(quotes={"prompt_folder": str(tmp_path)})
    handler = build_protocol_handler(scenario.hyper_params)
    with pytest.raises(ParameterError, match=r"\$question must not be in it .* Remove it"):
        scenario.dialogue_rules(handler)
