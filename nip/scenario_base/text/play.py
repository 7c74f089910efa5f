"""Playing of dialogues: requests to the models, parsing of their answers, rewards."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from nip.language_models.chat import ChatMessage, Completion, Sampling, TokenUsage
from nip.language_models.engine.call import Call
from nip.language_models.errors import ErrorPolicy, LanguageModelError
from nip.protocols.rules import VERIFIER, Decision
from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.answers.parsing import AnswerForm, ParsedAnswer, parse_answer
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.rollout import MessageRecord, Rollout, RolloutPlan
from nip.seeding import stable_seed

Complete = Callable[[Call], Awaitable[Completion]]
"""Requests a completion, such as ``Engine.complete``."""

MAX_CUTS = 2
"""Answers of one turn that may be cut by the token limit, and be invalid therefore, before the
last try. Each of them doubles the limit; with an equal limit most would be cut again."""

NUM_SEEDS = 2**31
"""Seeds of requests are below this number, as services require."""


async def play_rollout(
    rules: DialogueRules,
    agents: Mapping[str, TextAgent],
    datapoint: TextDatapoint,
    plan: RolloutPlan,
    complete: Complete,
) -> Rollout:
    """Play one dialogue to its end.

    Agents that write in the same round are requested concurrently; none of them sees the messages
    of the others in this round.

    Parameters
    ----------
    rules : DialogueRules
        The rules of the dialogues.
    agents : mapping
        All agents by name.
    datapoint : TextDatapoint
        The datapoint that the dialogue is about.
    plan : RolloutPlan
        Which dialogue to play.
    complete : callable
        Requests a completion, including all retries after errors of the service.

    Returns
    -------
    rollout : Rollout
        The dialogue. If a request failed permanently, its status is "failed" and it contains the
        messages received before.

    Raises
    ------
    LanguageModelError
        If the error ends the run.
    """
    conversation = Conversation(rules, datapoint, plan.seed)
    rollout = begin_rollout(datapoint, plan)
    while rollout.status == "unfinished":
        rollout = await play_round(conversation, agents, rollout, complete, plan.key_prefix)
    return rollout


def begin_rollout(datapoint: TextDatapoint, plan: RolloutPlan) -> Rollout:
    """Return a dialogue without messages."""
    return Rollout(
        position=plan.position,
        datapoint=plan.datapoint,
        datapoint_id=datapoint.id,
        copy=plan.copy,
        seed=plan.seed,
        y=int(datapoint.y),
        prover_stance=int(datapoint.prover_stance),
    )


async def play_round(
    conversation: Conversation,
    agents: Mapping[str, TextAgent],
    rollout: Rollout,
    complete: Complete,
    key_prefix: str = "",
    branch: tuple[int, ...] = (),
) -> Rollout:
    """Play the next round of an unfinished dialogue.

    Parameters
    ----------
    key_prefix : str
        Prefix of the journal keys; empty for no journal.
    branch : tuple of int
        Identifies one of several continuations of a dialogue; it changes the seeds of requests.
    """
    round = rollout.num_rounds
    writers = conversation.rules.episode.asked_writers(round, rollout.seed)
    turns = [
        _take_turn(conversation, agents[name], rollout, complete, key_prefix, branch)
        for name in writers
    ]
    if len(turns) == 1:
        try:
            return _end_round(conversation.rules, rollout, (await turns[0],))
        except LanguageModelError as error:
            return _fail(rollout, (), error)
    results = await asyncio.gather(*turns, return_exceptions=True)
    said = tuple(each for each in results if isinstance(each, MessageRecord))
    failures = [each for each in results if isinstance(each, LanguageModelError)]
    # An error that ends the run takes precedence over one that ends the dialogue.
    for each in results:
        if isinstance(each, BaseException) and each not in failures:
            raise each
    failures.sort(key=lambda failure: failure.policy is not ErrorPolicy.END_RUN)
    if failures:
        return _fail(rollout, said, failures[0])
    return _end_round(conversation.rules, rollout, said)


async def judge_dialogue(
    rules: DialogueRules,
    verifier: TextAgent,
    datapoint: TextDatapoint,
    rollout: Rollout,
    complete: Complete,
    key_prefix: str = "",
) -> Rollout:
    """Let a verifier decide a finished dialogue in place of its own verifier.

    It reads the dialogue up to the last turn of the verifier, where it has to decide, although the
    timetable may have further turns.

    Returns
    -------
    rollout : Rollout
        The dialogue with the new verdict and the rewards for it; its only message is that with the
        verdict. Without a valid answer there is no verdict.

    Raises
    ------
    LanguageModelError
        If the error ends the run.
    """
    round = max(each.round for each in rollout.messages if each.agent == VERIFIER)
    conversation = Conversation(rules, datapoint, rollout.seed, verdict_round=round)
    heard = replace(
        rollout,
        status="unfinished",
        messages=tuple(each for each in rollout.messages if each.round < round),
        rewards=rollout.rewards[:round],
        verdict=int(Decision.CONTINUE),
        verdict_value=None,
        is_terminated=False,
        warnings=(),
    )
    try:
        said = await _take_turn(conversation, verifier, heard, complete, key_prefix, ())
    except LanguageModelError as error:
        return _fail(replace(heard, messages=()), (), error)
    judged = _end_round(rules, replace(heard, messages=()), (said,))
    return replace(judged, status="completed")


async def _take_turn(
    conversation: Conversation,
    agent: TextAgent,
    rollout: Rollout,
    complete: Complete,
    key_prefix: str,
    branch: tuple[int, ...],
) -> MessageRecord:
    """Request answers of an agent until one is valid or its retries are used up.

    An invalid answer that was cut by the token limit is asked for again with twice the limit, at
    most ``MAX_CUTS`` times.
    """
    round = rollout.num_rounds
    form = conversation.answer_form(agent.name, round)
    messages = conversation.messages_for(agent.name, round, rollout.messages)
    turn = _Turn(agent.name, round, form)
    for attempt in range(agent.params.num_invalid_generation_retries + 1):
        call = _make_call(
            agent, messages, rollout.seed, round, attempt, turn.num_cuts, key_prefix, branch
        )
        completion = await complete(call)
        answer = parse_answer(completion.text, form)
        turn.add(call, completion, answer.problem)
        if answer.problem is None:
            return turn.record(answer)
        if turn.num_cuts > MAX_CUTS:
            break
    return turn.record(None)


@dataclass
class _Turn:
    """The answers of an agent at one turn, of which the last may be valid."""

    agent: str
    round: int
    form: AnswerForm
    usage: TokenUsage = field(default_factory=TokenUsage)
    problems: list[str] = field(default_factory=list)
    kept_keys: list[str] = field(default_factory=list)
    num_cuts: int = 0
    last: Completion | None = None

    def add(self, call: Call, completion: Completion, problem: str | None) -> None:
        self.usage += completion.usage
        self.last = completion
        if problem is None:
            return
        if completion.finish_reason == "length":
            self.num_cuts += 1
            problem = f"{problem}, cut at the limit of {call.sampling.max_tokens} tokens"
        self.problems.append(problem)
        if call.key:
            self.kept_keys.append(call.key)

    def record(self, answer: ParsedAnswer | None) -> MessageRecord:
        """Return the message; an empty one if no answer was valid."""
        assert self.last is not None
        said = answer or ParsedAnswer(dict.fromkeys(self.form.channels, ""))
        return MessageRecord(
            round=self.round,
            agent=self.agent,
            text=self.last.text if answer else "",
            channel_texts=said.channel_texts,
            decision=said.decision,
            decision_value=said.value,
            decision_text=said.decision_text,
            num_retries=len(self.problems) - (0 if answer else 1),
            problems=tuple(self.problems),
            is_invalid=answer is None,
            is_cut=self.last.finish_reason == "length",
            prompt_tokens=self.usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens,
            model=self.last.model,
            reasoning=self.last.reasoning if answer else "",
            kept_keys=tuple(self.kept_keys),
        )


def _make_call(
    agent: TextAgent,
    messages: list[ChatMessage],
    seed: int,
    round: int,
    attempt: int,
    num_cuts: int,
    key_prefix: str,
    branch: tuple[int, ...],
) -> Call:
    """Return the next call of a turn; each answer that the limit cut doubles it."""
    params = agent.params
    prefix = "/".join([key_prefix, *([".".join(map(str, branch))] if branch else ())])
    # A key of its own, because journals of earlier versions may have the same attempt without it.
    wider = f"x{2**num_cuts}" if num_cuts else ""
    return Call(
        model=agent.model,
        messages=messages,
        sampling=Sampling(
            temperature=params.temperature,
            top_p=params.top_p,
            max_tokens=params.token_limit * 2**num_cuts,
            seed=stable_seed(seed, *branch, round, agent.name, attempt) % NUM_SEEDS,
            reasoning_effort=params.reasoning_effort,
            extra_body=params.extra_body,
            sends_seed=params.send_seed,
            token_limit_name=params.token_limit_name,
            stop=params.stop,
        ),
        agent=agent.name,
        dialogue=key_prefix,
        key=f"{prefix}/{round}/{agent.name}/{attempt}{wider}" if key_prefix else "",
        sample_index=attempt,
    )


def _end_round(rules: DialogueRules, rollout: Rollout, said: tuple[MessageRecord, ...]) -> Rollout:
    """Add the messages and rewards of a round to a dialogue."""
    verifier = next((each for each in said if each.agent == VERIFIER), None)
    outcome = rules.episode.step(
        y=rollout.y,
        stance=rollout.prover_stance,
        round=rollout.num_rounds,
        seed=rollout.seed,
        decision=verifier.decision if verifier else Decision.CONTINUE,
        value=verifier.decision_value if verifier else None,
    )
    return replace(
        rollout,
        messages=rollout.messages + said,
        rewards=(*rollout.rewards, outcome.rewards),
        status="completed" if outcome.is_over else "unfinished",
        verdict=outcome.verdict,
        verdict_value=outcome.verdict_value,
        is_terminated=outcome.is_terminated,
        warnings=rollout.warnings + tuple(_warning(each) for each in said if each.is_invalid),
    )


def _warning(record: MessageRecord) -> str:
    way_out = " Raise max_tokens_per_message, which includes reasoning." if record.is_cut else ""
    return (
        f"In round {record.round + 1} no answer of {record.agent!r} was valid, the last one "
        f"because {record.problems[-1]}. Its message was left empty.{way_out}"
    )


def _fail(rollout: Rollout, said: tuple[MessageRecord, ...], error: LanguageModelError) -> Rollout:
    """Mark a dialogue as failed; raise the error instead if it ends the run."""
    if error.policy is ErrorPolicy.END_RUN:
        raise error
    return replace(
        rollout,
        messages=rollout.messages + said,
        status="failed",
        error=type(error).__name__,
        error_message=str(error),
    )
