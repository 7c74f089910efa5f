"""Experiments with language models on the command line, mistakes included."""

import json
import re
from functools import cache
from pathlib import Path

import pytest

from tests.command_line_process import (
    Outcome,
    call_command_line,
    call_command_lines,
    run_command_line,
)

BARE = ["scenario=code_validation", "dataset=test", "trainer=pure_text_ei"]
TEXT = [*BARE, "rl.num_iterations=3"]
REHEARSED = [*TEXT, "agents._default.use_dummy_api=true"]

MISTAKES = {
    "as many iterations as networks have": (BARE, ["rl.num_iterations=1000", "for example to 3"]),
    "no key": (TEXT, ["OPENAI_API_KEY", "use_dummy_api"]),
    "no key of ones own": ([*TEXT, "agents._default.api_key_variable=MY_KEY"], ["MY_KEY"]),
    "no key for one agent": (
        [*REHEARSED, "agents.verifier.use_dummy_api=false"],
        ["OPENAI_API_KEY"],
    ),
    "misspelt provider": (
        [*TEXT, "agents._default.model_provider=opennai"],
        ["'opennai'", "Did you mean 'openai'?", "scripted"],
    ),
    "no model": ([*REHEARSED, "agents.prover.model_name=''"], ["agents.prover.model_name"]),
    "no folder of a model": (
        [*TEXT, "agents._default.model_provider=local", "agents._default.model_name=nowhere"],
        ["nowhere"],
    ),
    "no script": (
        [*TEXT, "agents._default.model_provider=scripted", "agents._default.model_name=no.yaml"],
        ["no.yaml"],
    ),
    "address without http": (
        [*REHEARSED, "agents.prover.base_url=localhost:8000"],
        ["agents.prover.base_url", "http://"],
    ),
    "the same replica twice": (
        [*TEXT, "agents.prover.base_url=[http://a:1/v1,http://a:1/v1]"],
        ["agents.prover.base_url", "must list different addresses"],
    ),
    "no address of a vLLM server": (
        [*TEXT, "agents._default.model_provider=vllm", "agents._default.freeze_agent=true"],
        ["model_provider='vllm' needs the address", "base_url"],
    ),
    "whole models for a vLLM server": (
        [
            *TEXT,
            "agents._default.model_provider=vllm",
            "agents._default.base_url=[http://a:1/v1,http://b:1/v1]",
            "fine_tuning.backend=local",
            "local_training.adaptation=full",
        ],
        ["local_training.adaptation='full'", "Set local_training.adaptation='lora'"],
    ),
    "an empty stop text": ([*REHEARSED, "agents.prover.stop=['']"], ["agents.prover.stop"]),
    "two ways of sampling": (
        [*REHEARSED, "agents.prover.temperature=0.5", "agents.prover.top_p=0.5"],
        ["agents.prover.temperature", "agents.prover.top_p"],
    ),
    "too hot": ([*REHEARSED, "agents._default.temperature=3"], ["temperature", "3", "2"]),
    "missing dataset": (
        [*REHEARSED, "dataset=my_programs"],
        ["'my_programs'", "python scripts/create_cv_dataset.py"],
    ),
    "unknown brain": (
        [*REHEARSED, "rehearsal.brain=dialog"],
        ["'dialog'", "Did you mean 'dialogue'?"],
    ),
    "unknown fault": (
        [*REHEARSED, "rehearsal.faults=[rate_limits]"],
        ["'rate_limits'", "Did you mean 'rate_limit'?"],
    ),
    "no rules of the brain": ([*REHEARSED, "rehearsal.brain_file=no.yaml"], ["no.yaml"]),
    "no folder of prompts": (
        [*REHEARSED, "code_validation.prompt_folder=my_prompts"],
        ["my_prompts"],
    ),
    "protocol without texts": (
        [*REHEARSED, "interaction_protocol=multi_channel_test"],
        ["multi_channel_test", "debate"],
    ),
    "text on tensors": (
        ["scenario=code_validation", "dataset=test", "trainer=vanilla_ppo"],
        ["vanilla_ppo", "code_validation", "pure_text_ei"],
    ),
    "no network among texts": (
        [*REHEARSED, "agents.prover.is_random=true"],
        ["agents.prover", "is_random"],
    ),
    "parameter of a network": (
        [*REHEARSED, "agents.prover.d_hidden=3"],
        ["'agents.prover.d_hidden'"],
    ),
    "disagreement about a shared model": (
        [
            *REHEARSED,
            "agents._default.shared_model_group=one",
            "agents.prover.model_name=gpt-4o",
        ],
        ["model_name must equal", "'one'"],
    ),
    "group named after another agent": (
        [*REHEARSED, "agents.verifier.shared_model_group=prover"],
        ["agents.verifier.shared_model_group", "agents.prover.shared_model_group"],
    ),
    "unknown backend": (
        [*REHEARSED, "fine_tuning.backend=opennai"],
        ["'opennai'", "Did you mean 'openai'?"],
    ),
    "misspelt scheme of tests": (
        [*REHEARSED, "text_rl.test_scheme=lasst"],
        ["text_rl.test_scheme", "Did you mean 'last'?"],
    ),
    "rewards in proportion to two words": (
        [*REHEARSED, "code_validation.linear_reward=true"],
        ["code_validation.linear_reward", "out_of_100"],
    ),
    "stances of two provers": (
        [
            *REHEARSED,
            "interaction_protocol=debate",
            "protocol_common.randomize_prover_stance=true",
        ],
        ["randomize_prover_stance", "debate"],
    ),
    "negative budget": ([*REHEARSED, "settings.max_cost=-1"], ["settings.max_cost", "-1"]),
    "misspelt setting": (
        [*REHEARSED, "settings.max_costs=1"],
        ["Did you mean 'settings.max_cost'?"],
    ),
    "no base run": (
        [*REHEARSED, "base_run.base_run_type=rerun_tests", "base_run.run_id=nobody"],
        ["nobody"],
    ),
}


DRY_RUN = ["experiment=cv_nip_ei_rehearsal", "dry_run=true"]


@cache
def outcomes_of_light_commands() -> dict[str, Outcome]:
    """Call all command lines that must not import PyTorch, in one fresh process."""
    lines = {name: arguments for name, (arguments, _) in MISTAKES.items()} | {"dry run": DRY_RUN}
    outcomes = call_command_lines(list(lines.values()), OPENAI_API_KEY="", OPENAI_BASE_URL="")
    return dict(zip(lines, outcomes, strict=True))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_clear_message_at_once(mistake: str) -> None:
    outcome = outcomes_of_light_commands()[mistake]
    assert outcome.exit_code == 2, outcome.stderr
    assert outcome.stderr.count("error: ") == 1
    assert [words for words in MISTAKES[mistake][1] if words not in outcome.stderr] == []
    assert outcome.heavy_imports == []
    assert outcome.files == []


def test_a_dry_run_of_the_rehearsal_says_what_would_be_asked() -> None:
    outcome = outcomes_of_light_commands()["dry run"]
    assert outcome.exit_code == 0, outcome.stderr
    text = " ".join(outcome.stdout.split())
    assert "3, with a fine-tuning after each but the last" in text
    # 3 × 48 dialogues and the whole test split in each of 3 tests, with 7 messages at most, because
    # nobody would read one of the prover after the last one of the verifier.
    (num_test,) = (int(found) for found in re.findall(r"(\d+) to test on", text))
    num_rollouts = 3 * (48 + num_test)
    assert f"{num_rollouts:,}, tests included" in text
    assert f"{7 * num_rollouts:,} at most, without retries" in text
    assert re.search(r"about \$\d+\.\d\d \(\$\d+\.\d\d sampling, .*fine-tuning\) expected", text)
    assert f"{3 * num_rollouts:,}" in text
    assert f"{4 * num_rollouts:,}" in text
    assert outcome.heavy_imports == []
    assert outcome.files == []


def test_a_rehearsal_is_run_kept_and_not_repeated(working_folder: Path) -> None:
    arguments = ["experiment=cv_nip_ei_rehearsal", "run_id=r", "settings.progress=false"]
    arguments += ["rl.num_iterations=2", "rl.rollouts_per_iteration=16", "text_rl.test_scheme=last"]
    outcome = run_command_line(arguments, working_folder)
    assert outcome.exit_code == 0, outcome.stderr
    assert "torch" not in outcome.heavy_imports
    folder = working_folder / "runs" / "r"
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "completed"
    assert "test_mean_accuracy" in result["metrics"]
    before = (folder / "run.db").read_bytes()
    again = call_command_line(arguments)
    assert again.exit_code == 0, again.stderr
    assert (folder / "run.db").read_bytes() == before
    changed = call_command_line([*arguments, "rl.num_iterations=5"])
    assert changed.exit_code == 2
    assert "rl.num_iterations: 2 → 5" in changed.stderr
