"""Dialogues without models for tests: small rules, and functions in place of an engine."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import nip.scenarios.code_validation
from nip.errors import NipWarning
from nip.experiment_settings import ExperimentSettings
from nip.language_models.chat import Completion, ModelSpec, TokenUsage
from nip.language_models.engine.call import Call
from nip.language_models.errors import ContentFilterError
from nip.parameters import HyperParameters
from nip.protocols import build_protocol_handler
from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.play import Complete, play_rollout
from nip.scenario_base.text.rollout import Rollout, RolloutPlan
from nip.scenarios.code_validation import agent_specs
from nip.scenarios.code_validation.scenario import CodeValidationScenario

PROMPTS = Path(nip.scenarios.code_validation.__file__).parent / "prompts"
PLAYABLE = ("adp", "debate", "merlin_arthur", "mnip", "nip", "solo_verifier")

DATAPOINT = TextDatapoint(
    id="p1-a", question="Double x.", solution="print(2 * x)", y=1, prover_stance=0
)
PLAN = RolloutPlan(position=3, datapoint=0, copy=1, seed=6, key_prefix="train/0/3")

ASK_TWO = "[to Expert 1]\nWhy?\n[to Expert 2]\nHow?"

Answer = str | BaseException | Completion
Script = Callable[[Call], Answer]


def text_params(protocol: str = "nip", **changes: Any) -> HyperParameters:
    """Return an experiment of code validation, without warnings about unused options."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NipWarning)
        return HyperParameters(
            scenario=agent_specs.SCENARIO,
            trainer="pure_text_ei",
            dataset="none",
            interaction_protocol=protocol,
            **changes,
        )


def rules_of(protocol: str = "nip", **changes: Any) -> DialogueRules:
    hyper_params = text_params(protocol, **changes)
    handler = build_protocol_handler(hyper_params)
    return CodeValidationScenario(hyper_params, ExperimentSettings()).dialogue_rules(handler)


def agents_of(rules: DialogueRules) -> dict[str, TextAgent]:
    hyper_params = rules.protocol.hyper_params
    return {
        name: TextAgent(name, hyper_params.agents[name], spec, ModelSpec("test", f"of-{name}"))
        for name, spec in rules.specs.items()
    }


def place_of(call: Call) -> tuple[int, str, int]:
    """Return the round, the agent and the attempt of a call."""
    round_, agent, attempt = call.key.split("/")[-3:]
    return int(round_), agent, int(attempt)


def answering(script: Script) -> tuple[Complete, list[Call]]:
    """Return a function that answers by a script, and the list of the calls it received."""
    calls: list[Call] = []

    async def complete(call: Call) -> Completion:
        calls.append(call)
        await asyncio.sleep(0)
        answer = script(call)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Completion):
            return answer
        return Completion(answer, "stop", TokenUsage(10, 2), "model-x")

    return complete, calls


def by_place(answers: Mapping[tuple[int, str], str | list[str]]) -> Script:
    """Answer by round and agent, a list of answers by attempt."""

    def script(call: Call) -> str:
        round_, agent, attempt = place_of(call)
        answer = answers[round_, agent]
        return answer if isinstance(answer, str) else answer[min(attempt, len(answer) - 1)]

    return script


def play(
    rules: DialogueRules,
    script: Script,
    datapoint: TextDatapoint = DATAPOINT,
    plan: RolloutPlan = PLAN,
) -> tuple[Rollout, list[Call]]:
    complete, calls = answering(script)
    rollout: Awaitable[Rollout] = play_rollout(rules, agents_of(rules), datapoint, plan, complete)
    return asyncio.run(_finish(rollout)), calls


async def _finish(rollout: Awaitable[Rollout]) -> Rollout:
    return await rollout


def two_rollouts() -> tuple[Rollout, Rollout]:
    answers = {
        (0, "verifier"): ASK_TWO,
        (1, "prover0"): ["", "It is wrong."],
        (1, "prover1"): "It is right.",
        (2, "verifier"): "Fine.\nDecision: accept",
    }
    rules = rules_of("debate")
    failing = play(
        rules, lambda call: ASK_TWO if call.agent == "verifier" else ContentFilterError("no")
    )
    return play(rules, by_place(answers))[0], failing[0]
