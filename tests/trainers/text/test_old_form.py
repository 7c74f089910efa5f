"""A run that an earlier version began, with unmarked messages, goes on as it began."""

from dataclasses import replace
from pathlib import Path

import pytest

from nip.errors import NipWarning
from nip.protocols import ProtocolHandler
from nip.run_store import open_database
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.scenario import TextScenario
from nip.trainers.rl_pure_text_base import PureTextRlTrainer
from tests.text_experiments import run_text_experiment


@pytest.fixture
def earlier_version(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Ask for messages and show them as earlier versions did, until the patch is undone."""
    present = TextScenario.dialogue_rules

    def rules_of_old(self: TextScenario, protocol: ProtocolHandler) -> DialogueRules:
        rules = present(self, protocol)
        episode = replace(rules.episode, asks_all_writers=True)
        return replace(rules, quotes_messages=False, episode=episode)

    monkeypatch.setattr(TextScenario, "dialogue_rules", rules_of_old)
    return monkeypatch


def records(runs_dir: Path, run_id: str) -> list[object]:
    with open_database(runs_dir / run_id) as database:
        return [
            record
            for phase in ("train", "test")
            for iteration in (1, 2)
            for record in database.rollouts.load(phase, iteration)
        ]


def test_an_old_run_is_continued_in_its_own_form(
    tmp_path: Path, earlier_version: pytest.MonkeyPatch
) -> None:
    run_text_experiment(tmp_path / "whole", "old")
    run_stage = PureTextRlTrainer._run_stage

    def stop_in_second_iteration(self: PureTextRlTrainer) -> None:
        if self.state.iteration == 1:
            raise KeyboardInterrupt
        run_stage(self)

    earlier_version.setattr(PureTextRlTrainer, "_run_stage", stop_in_second_iteration)
    with pytest.raises(KeyboardInterrupt):
        run_text_experiment(tmp_path, "old")
    earlier_version.undo()
    with pytest.warns(NipWarning, match="started by an earlier version of nip.* continued in that"):
        run_text_experiment(tmp_path, "old")
    assert records(tmp_path, "old") == records(tmp_path / "whole", "old")
    run_text_experiment(tmp_path, "new")
    prompt_tokens = [
        sum(
            message.get("prompt_tokens", 0)
            for each in records(tmp_path, run)
            for message in each["messages"]
        )
        for run in ("old", "new")
    ]
    assert prompt_tokens[0] < prompt_tokens[1], "new runs mark every line"
