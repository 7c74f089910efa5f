"""The pages on language models and rehearsals: options, faults, rules and addresses."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from nip.language_models.answer_rules import AnswerRules
from nip.language_models.chat import ChatMessage, ModelSpec
from nip.language_models.providers.connection import find_address
from nip.language_models.server.__main__ import build_parser, port_number
from nip.language_models.server.faults import EVERYWHERE, FaultRule, fault_registry
from nip.language_models.server.mock_models import check_mock_model
from nip.parameters.text_agents import RehearsalParameters
from nip.run_store import open_database
from tests.doc.forks import run_script
from tests.doc.pages import DOC, Command, code_blocks, commands_of
from tests.source_files import REPOSITORY

REHEARSING = DOC / "guides" / "rehearsing.md"
LANGUAGE_MODELS = DOC / "guides" / "language_models.md"
SERVER = ("python", "-m", "nip.language_models.server")
STRIKES = {
    "all": EVERYWHERE,
    "chats": ("chat",),
    "uploads": ("upload",),
    "new jobs": ("create_job",),
}


def server_commands() -> list[Command]:
    return [each for each in commands_of(REHEARSING) if each.words[:3] == SERVER]


@pytest.mark.parametrize("command", server_commands(), ids=str)
def test_the_commands_of_the_page_serve(command: Command) -> None:
    given = build_parser().parse_args(command.words[3:])
    assert port_number(str(given.port)) == given.port
    check_mock_model(given.brain, str(REPOSITORY / given.brain_file))
    for fault in given.faults:
        FaultRule.from_text(fault, given.fault_rate)


def test_the_page_tells_of_every_fault_and_whom_it_strikes() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| ([a-z ]+) \| ", REHEARSING.read_text(), re.M)
    told = {name: STRIKES[whom] for names, whom in rows for name in re.findall(r"`(\w+)`", names)}
    assert told == {name: fault.kinds for name, fault in fault_registry.items()}


def test_the_page_tells_of_every_parameter_and_its_default() -> None:
    rows = re.findall(r"^\| `rehearsal\.(\w+)` \| (\S+) \|", REHEARSING.read_text(), re.M)
    defaults = {field.name: field.default for field in dataclasses.fields(RehearsalParameters)}
    assert {name: "none" if value in (None, ()) else value for name, value in defaults.items()} == {
        name: text.strip("`") if not text[0].isdigit() else float(text) for name, text in rows
    }


def test_the_rules_of_the_page_teach_the_prover_to_show_results(working_folder: Path) -> None:
    (working_folder / "doc").symlink_to(DOC)
    words = ["experiment=cv_nip_ei_rehearsal", "run_id=doubting", "rl.num_iterations=2"]
    words += ["rehearsal.brain_file=doc/examples/doubting_verifier.yaml"]
    words += ["settings.progress=false", "settings.poll_seconds=0.01", "text_rl.test_scheme=none"]
    outcome = run_script("scripts/run_experiment.py", words, working_folder)
    assert outcome.exit_code == 0, outcome.stderr
    with open_database(working_folder / "runs" / "doubting") as database:
        rewards = database.load_history().values("prover.mean_episode_reward")
    (_, before), (_, after) = rewards
    assert after > before + 0.15


def test_the_rules_on_the_page_answer() -> None:
    (block,) = code_blocks(LANGUAGE_MODELS, "yaml")
    rules = AnswerRules.from_dict(yaml.safe_load(block))

    def answers(text: str) -> set[str]:
        messages = [
            ChatMessage(role="system", content="You are the verifier."),
            ChatMessage(role="user", content=text),
        ]
        return {rules.answer(messages, seed) for seed in range(20)}

    assert answers("Now decide.") == {"Decision: accept", "Decision: reject"}
    assert answers("Hello.") == {"Every line does what the problem asks for."}
    assert len(answers("This is round 2.")) == 2
    assert any(answer.startswith("In round 2 I ask:") for answer in answers("This is round 2."))


def test_the_addresses_on_the_page_can_be_used() -> None:
    words = LANGUAGE_MODELS.read_text(encoding="utf-8").split("`")
    addresses = [word for word in words if word.startswith("http://localhost")]
    assert len(addresses) > 3
    for address in addresses:
        assert find_address(ModelSpec("openai", "m", address)) == address
