"""The questions of an analysis."""

from pathlib import Path

import pytest

from nip.errors import UnknownNameError
from nip.rollout_analysis import AnalysisOptions
from nip.rollout_analysis.selection import AnalysisSelection
from nip.rollout_analysis.text_run import TextRun, open_text_run
from nip.run_store.database.analysis_store import AnalysisRow, AnalysisStore

ONE = {"names": ["prover_holds_role"], "model": "rehearsal:x", "phases": ["train"]}


@pytest.fixture
def run(runs_dir: Path):
    with open_text_run(runs_dir / "played") as run:
        yield run


def select(run: TextRun, **options) -> AnalysisSelection:
    return AnalysisSelection.of(run, AnalysisOptions(**{**ONE, **options}))


def places(selection: AnalysisSelection, run: TextRun) -> list[tuple]:
    return [each.subject.place for each in selection.analyses(run)]


def test_a_question_is_asked_of_each_dialogue_and_agent_once(run):
    found = places(select(run), run)
    assert len(found) == len(set(found)) == 24
    assert {agent for *_, agent in found} == {"prover"}
    both = select(run, names=["prover_holds_role", "verifier_follows_format", "prover_holds_role"])
    assert len(places(both, run)) == 48
    assert both.asks_model
    assert not select(run, names=["verifier_follows_format"]).asks_model


def test_a_smaller_sample_is_part_of_a_larger_one(run):
    few, more = (set(places(select(run, iterations=[1], max_rollouts=n), run)) for n in (3, 6))
    assert (len(few), len(more)) == (3, 6)
    assert few < more


def test_stored_answers_of_the_same_model_and_prompt_are_not_missing(run):
    selection = select(run, iterations=[1], max_rollouts=3)
    (version,) = selection.versions
    first, *others = places(selection, run)
    with AnalysisStore(run.folder) as store:
        phase, iteration, position, agent = first
        store.add(AnalysisRow(*version, phase, iteration, position, agent, "d", "yes"))
        assert [each.subject.place for each in selection.missing(run, store)] == others
        other = select(run, iterations=[1], max_rollouts=3, model="rehearsal:y")
        assert len(list(other.missing(run, store))) == 3
    assert len(list(selection.missing(run, None))) == 3


def test_an_unknown_analyser_is_refused(run):
    with pytest.raises(UnknownNameError, match="Did you mean 'prover_holds_role'"):
        select(run, names=["prover_hold_role"])
