"""Analyses of a run: each question is asked once, also after interruptions."""

import json
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from nip.errors import ParameterError, ResumeError, UnknownNameError
from nip.language_models.chat import ChatMessage, Completion, TokenUsage
from nip.language_models.errors import (
    BadRequestError,
    BudgetExceededError,
    ModelTimeoutError,
    QuotaError,
)
from nip.language_models.provider_registry import (
    ProvidedChatModel,
    chat_provider_registry,
    register_chat_provider,
)
from nip.rollout_analysis import (
    ComputedAnalyser,
    ModelAnalyser,
    analyser_registry,
    plan_analyses,
    register_analyser,
    run_analysers,
)
from nip.rollout_analysis.text_run import open_text_run
from nip.run_store.database.analysis_store import AnalysisRow, AnalysisStore
from nip.trainers.text.stage_limits import TooManyFailuresError
from nip.utils.clustered_mean import clustered_mean

ASKING = ["prover_holds_role", "prover_quotes_solution", "questions_follow_up"]
REHEARSED = {"model": "rehearsal:judge", "progress": False}


def rows_of(runs_dir: Path) -> list[AnalysisRow]:
    with AnalysisStore(runs_dir / "played") as store:
        return store.rows()


def ledger_of(runs_dir: Path) -> dict:
    with AnalysisStore(runs_dir / "played") as store:
        return store.get_state("ledger")


class Judge(ProvidedChatModel):
    """Gives scripted answers, and counts its calls."""

    answers: list = []
    asked: Counter = Counter()

    async def complete(self, messages, sampling):
        self.asked[json.dumps([messages, sampling.seed])] += 1
        number = sum(self.asked.values()) - 1
        answer = self.answers[min(number, len(self.answers) - 1)]
        if callable(answer):
            answer = answer(messages)
        if isinstance(answer, BaseException):
            raise answer
        return Completion(answer, "stop", TokenUsage(100, 10), "judge")


@pytest.fixture
def judge():
    register_chat_provider("judge")(Judge)
    Judge.answers, Judge.asked = ["Answer: yes"], Counter()
    yield Judge
    chat_provider_registry.unregister("judge")


JUDGED = {"model": "judge:j", "progress": False}


def test_all_analysers_answer_in_a_rehearsal_and_always_the_same(runs_dir: Path) -> None:
    result = run_analysers("played", runs_dir=runs_dir, **REHEARSED)
    assert {row.analyser for row in result.summary} == set(analyser_registry.names())
    assert result.num_failed == 0
    findings = Counter((row.analyser, row.finding) for row in rows_of(runs_dir))
    for name in ASKING:
        assert findings[name, "yes"] and findings[name, "no"]
    # What cannot be read is asked for again, and can mostly be read then.
    assert any(row.num_retries for row in rows_of(runs_dir))
    first = result.path.read_text()
    (runs_dir / "played" / "analyses.db").unlink()
    concurrency = {"max_concurrency": 1}
    assert run_analysers("played", runs_dir=runs_dir, **REHEARSED, **concurrency) == result
    assert result.path.read_text() == first


def test_shares_and_intervals_are_those_of_the_answers(runs_dir: Path) -> None:
    result = run_analysers("played", ["prover_holds_role"], runs_dir=runs_dir, **REHEARSED)
    row = next(row for row in result.summary if (row.phase, row.iteration) == ("train", 2))
    found = [
        each
        for each in rows_of(runs_dir)
        if (each.phase, each.iteration) == ("train", 2) and each.finding in ("yes", "no")
    ]
    with open_text_run(runs_dir / "played") as run:
        problem_of = {each.id: each.extra["problem"] for each in run.instance.train_dataset}
    expected = clustered_mean(
        [each.finding == "yes" for each in found],
        [problem_of[each.datapoint_id] for each in found],
        is_share=True,
    )
    assert expected.num_clusters < len({each.datapoint_id for each in found})
    assert (row.share, row.ci_low, row.ci_high) == (
        expected.mean,
        expected.ci_low,
        expected.ci_high,
    )
    assert row.num_yes + row.num_no + row.num_unknown + row.num_not_applicable == 12
    tree = json.loads((runs_dir / "played" / "analyses.json").read_text())
    assert tree["run_id"] == "played"
    assert [each["iteration"] for each in tree["summary"]] == [1, 1, 2, 2]
    assert [each["phase"] for each in tree["summary"]] == ["train", "test"] * 2


def test_nothing_is_asked_twice(runs_dir: Path, judge: type[Judge]) -> None:
    run_analysers("played", ASKING[:1], runs_dir=runs_dir, iterations=[1], **JUDGED)
    num_first = sum(judge.asked.values())
    assert num_first
    run_analysers("played", ASKING[:1], runs_dir=runs_dir, **JUDGED)
    num_all = sum(judge.asked.values())
    assert num_all > num_first
    run_analysers("played", ASKING[:1], runs_dir=runs_dir, **JUDGED)
    assert sum(judge.asked.values()) == num_all == len(judge.asked)
    plan = plan_analyses("played", ASKING[:1], runs_dir=runs_dir, model="judge:j")
    assert plan.estimate.num_calls == 0
    other = plan_analyses("played", ASKING[:1], runs_dir=runs_dir, model="judge:k")
    assert other.estimate.num_calls == num_all


def test_an_analysis_that_was_killed_goes_on(runs_dir: Path, judge: type[Judge]) -> None:
    child = os.fork()
    if child == 0:
        judge.answers = ["Answer: yes"] * 5 + [lambda _: os.kill(os.getpid(), signal.SIGKILL)]
        run_analysers("played", ASKING[:2], runs_dir=runs_dir, max_concurrency=1, **JUDGED)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with closing(sqlite3.connect(runs_dir / "played" / "analyses.db")) as database:
        (num_rows,) = database.execute(
            "SELECT count(*) FROM results WHERE finding = 'yes'"
        ).fetchone()
        (num_journalled,) = database.execute("SELECT count(*) FROM journal").fetchone()
    assert num_rows + num_journalled == 5
    plan = plan_analyses("played", ASKING[:2], runs_dir=runs_dir, model="judge:j")
    result = run_analysers("played", ASKING[:2], runs_dir=runs_dir, **JUDGED)
    assert sum(judge.asked.values()) == plan.estimate.num_calls - num_journalled
    num_asked = sum(row.finding != "not_applicable" for row in rows_of(runs_dir))
    assert sum(judge.asked.values()) == num_asked - 5
    assert all(row.num_unknown == 0 for row in result.summary)


def test_an_interruption_between_answer_and_result_costs_nothing(
    runs_dir: Path, judge: type[Judge], monkeypatch: pytest.MonkeyPatch
) -> None:
    add, count = AnalysisStore.add, []

    def interrupt(self: AnalysisStore, row: AnalysisRow) -> None:
        count.append(row)
        if len(count) == 4:
            raise KeyboardInterrupt
        add(self, row)

    monkeypatch.setattr(AnalysisStore, "add", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_analysers("played", ASKING[:1], runs_dir=runs_dir, max_concurrency=2, **JUDGED)
    monkeypatch.undo()
    run_analysers("played", ASKING[:1], runs_dir=runs_dir, **JUDGED)
    assert set(judge.asked.values()) == {1}
    with AnalysisStore(runs_dir / "played") as store:
        (account,) = store.get_state("ledger")["accounts"]
        assert len(store.journal) == 0
    assert account["num_calls"] == len(judge.asked)


def test_an_answer_that_cannot_be_read_is_asked_for_again_and_then_unknown(
    runs_dir: Path, judge: type[Judge]
) -> None:
    judge.answers = ["Well.", "Who knows.", "Answer: no", *["Hm."] * 4, "Answer: yes"]
    few = {"phases": ["train"], "iterations": [1], "max_rollouts": 2, "max_concurrency": 1}
    tolerant = {**few, **JUDGED, "max_invalid_share": 1.0}
    run_analysers("played", ["prover_holds_role"], runs_dir=runs_dir, **tolerant)
    found = {(row.finding, row.num_retries) for row in rows_of(runs_dir)}
    assert found <= {("no", 2), ("unknown", 3), ("not_applicable", 0)}
    assert ("no", 2) in found
    # They were paid for, so they are kept.
    with AnalysisStore(runs_dir / "played") as store:
        kept = [entry["text"] for key, entry in store.journal.below("set_aside")]
    assert kept[:3] == ["Well.", "Who knows.", "Answer: no"]
    # They are counted once, however often the analysis is started.
    usage = ledger_of(runs_dir)
    run_analysers("played", ["prover_holds_role"], runs_dir=runs_dir, **tolerant)
    assert ledger_of(runs_dir) == usage
    assert usage["accounts"][0]["num_calls"] == sum(judge.asked.values())


def test_too_many_unreadable_answers_stop_the_analysis_and_are_asked_for_again(
    runs_dir: Path, judge: type[Judge]
) -> None:
    judge.answers = ["Well."]
    with pytest.raises(TooManyFailuresError, match=r"no answer that can be read .*0\.2.*'Well\.'"):
        run_analysers("played", ASKING[:1], runs_dir=runs_dir, max_concurrency=1, **JUDGED)
    assert {row.finding for row in rows_of(runs_dir)} <= {"not_applicable"}
    num_asked = sum(judge.asked.values())
    judge.answers = ["Answer: yes"]
    run_analysers("played", ASKING[:1], runs_dir=runs_dir, **JUDGED)
    assert {row.finding for row in rows_of(runs_dir)} <= {"yes", "not_applicable"}
    assert sum(judge.asked.values()) > num_asked


def test_too_many_questions_without_an_answer_stop_the_analysis(
    runs_dir: Path, judge: type[Judge]
) -> None:
    judge.answers = [*["Answer: yes"] * 2, ModelTimeoutError("late")]
    quick = {"num_api_generation_timeouts": 0, "max_concurrency": 1}
    with pytest.raises(TooManyFailuresError, match=r"got no answer .*max_failed_share=0\.2.*late"):
        run_analysers("played", ASKING[:1], runs_dir=runs_dir, **quick, **JUDGED)
    assert [row.finding for row in rows_of(runs_dir)].count("yes") == 2
    judge.answers = ["Answer: yes"]
    run_analysers("played", ASKING[:1], runs_dir=runs_dir, **JUDGED)
    assert {row.finding for row in rows_of(runs_dir)} <= {"yes", "not_applicable"}


def test_a_refused_question_is_unknown_and_a_lost_one_is_asked_again(
    runs_dir: Path, judge: type[Judge]
) -> None:
    one = {"runs_dir": runs_dir, "phases": ["train"], "iterations": [1], "max_rollouts": 4}
    quick = {"num_api_generation_timeouts": 0, "max_failed_share": 0.9}
    judge.answers = ["Answer: yes", ModelTimeoutError("late")]
    with pytest.warns(UserWarning, match="got no answer, one of them for this reason: late"):
        lost = run_analysers("played", ASKING[:1], **one, **JUDGED, **quick)
    assert lost.num_failed == sum(judge.asked.values()) - 1 > 0
    judge.answers = [BadRequestError("too long")]
    run_analysers("played", ASKING[:1], **one, **JUDGED, max_invalid_share=1.0)
    unknown = [row for row in rows_of(runs_dir) if row.finding == "unknown"]
    assert len(unknown) == lost.num_failed
    assert unknown[0].answer == "BadRequestError: too long"


def test_parameters_of_reasoning_models_are_sent(
    runs_dir: Path, judge: type[Judge], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    complete = judge.complete

    async def listen(self, messages, sampling):
        sent.append((sampling.reasoning_effort, sampling.sends_seed))
        return await complete(self, messages, sampling)

    monkeypatch.setattr(judge, "complete", listen)
    chosen = {"reasoning_effort": "low", "send_seed": False, "max_rollouts": 1}
    run_analysers("played", ASKING[:1], runs_dir=runs_dir, **chosen, **JUDGED)
    assert set(sent) == {("low", False)}


def test_an_empty_account_stops_everything_and_keeps_what_is_there(
    runs_dir: Path, judge: type[Judge]
) -> None:
    judge.answers = ["Answer: yes", "Answer: yes", QuotaError("The account is empty.")]
    with pytest.raises(QuotaError, match="account is empty"):
        run_analysers("played", ASKING[:1], runs_dir=runs_dir, max_concurrency=1, **JUDGED)
    with AnalysisStore(runs_dir / "played") as store:
        num_stored = sum(row.finding == "yes" for row in store.rows())
        assert num_stored + len(store.journal) == 2


def test_a_conversation_shows_the_dialogue_and_the_role(runs_dir: Path, judge: type[Judge]) -> None:
    seen: list[list[ChatMessage]] = []

    def note(messages: list[ChatMessage]) -> str:
        seen.append(messages)
        return "Answer: yes"

    judge.answers = [note]
    run_analysers("played", ["prover_holds_role"], runs_dir=runs_dir, **JUDGED)
    text = seen[0][0]["content"]
    assert "The agent argues that the solution is correct, and is rewarded for that." in text
    assert "[Round 2, prover]\n" in text
    assert "def " in text


@pytest.fixture
def own_analysers():
    @register_analyser("prover_is_long")
    class ProverIsLong(ComputedAnalyser):
        question = "writes more than ten words"

        def agents(self, protocol):
            return protocol.prover_names

        def compute(self, subject):
            return len(subject.messages_text().split()) > 10

    @register_analyser("bad_prompt")
    class BadPrompt(ModelAnalyser):
        question = "is asked wrongly"
        prompt = "What of $dialog?"

        def agents(self, protocol):
            return protocol.prover_names

    yield
    for name in ("prover_is_long", "bad_prompt"):
        analyser_registry.unregister(name)


def test_an_analyser_of_ones_own(runs_dir: Path, own_analysers: None) -> None:
    result = run_analysers("played", ["prover_is_long"], runs_dir=runs_dir, progress=False)
    assert sum(row.num_yes + row.num_no for row in result.summary) == 48
    assert {(row.model, row.prompt_sha256) for row in result.summary} == {("", "")}
    with pytest.raises(ParameterError, match=r"bad_prompt.*Did you mean 'dialogue'"):
        run_analysers("played", ["bad_prompt"], runs_dir=runs_dir, **REHEARSED)


def test_mistakes_are_told(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    how = {"runs_dir": runs_dir, "progress": False}
    with pytest.raises(ParameterError, match="There is no run in"):
        run_analysers("palyed", **how)
    with pytest.raises(UnknownNameError, match=r"analyser 'prover_hold_role'.*Did you mean"):
        run_analysers("played", ["prover_hold_role"], **how)
    with pytest.raises(ParameterError, match="a provider, a colon and a name, got 'gpt-4o'"):
        run_analysers("played", model="gpt-4o", **how)
    with pytest.raises(ParameterError, match="OPENAI_API_KEY"):
        run_analysers("played", **how)
    with pytest.raises(ParameterError, match="has rollouts in: train 1, test 1, train 2, test 2"):
        run_analysers("played", iterations=[3], **how)
    with pytest.raises(ParameterError, match="max_rollouts must be at least 1, got 0"):
        run_analysers("played", max_rollouts=0, **how)
    with (
        AnalysisStore(runs_dir / "played"),
        pytest.raises(ResumeError, match="in use by process"),
    ):
        run_analysers("played", **how, model="rehearsal:x")
    assert not (runs_dir / "played" / "analyses.json").exists()


def test_an_exchanged_dataset_is_noticed(runs_dir: Path) -> None:
    with closing(sqlite3.connect(runs_dir / "played" / "run.db")) as database, database:
        database.execute("UPDATE run_state SET value = 'x' WHERE key LIKE 'digest of the test%'")
    with pytest.raises(ParameterError, match=r"test dataset of run 'played' has changed"):
        run_analysers("played", runs_dir=runs_dir, **REHEARSED)


def test_prices_of_one_s_own_count_in_estimates_and_budgets(runs_dir, tmp_path, judge) -> None:
    prices = tmp_path / "prices.yaml"
    # The judge reads 100 tokens and writes 10: 1.2 dollars for each answer.
    prices.write_text("j: {prompt: 10000, completion: 20000}\n")
    chosen = {"runs_dir": runs_dir, "prices": str(prices), **JUDGED}
    plan = plan_analyses("played", ["prover_holds_role"], **chosen)
    assert plan.estimate.cost > 1.2 * plan.estimate.num_calls / 2
    assert not plan.estimate.models_without_price
    # Without a token limit 16384 tokens are assumed, so that a call costs at most 328 dollars,
    # beside those for its prompt.
    with pytest.raises(BudgetExceededError, match=r"the next call can cost up to \$3[3-9]"):
        run_analysers("played", ["prover_holds_role"], max_cost=345.0, max_concurrency=1, **chosen)
    assert 1 <= sum(judge.asked.values()) < plan.estimate.num_calls
    result = run_analysers("played", ["prover_holds_role"], **chosen)
    assert result.cost == pytest.approx(1.2 * plan.estimate.num_calls)
