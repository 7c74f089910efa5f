"""Playing dialogues: asking the models, reading their answers, paying the agents."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from nip.language_models.chat import ChatMessage, Completion, Sampling, TokenUsage
from nip.language_models.engine.call import Call
from nip.language_models.errors import ErrorPolicy, LanguageModelError
from nip.protocols.rules import VERIFIER, Decision
from nip.scenario_base.text.agent import TextAgent
from nip.scenario_base.text.answers.parsing import ParsedAnswer, parse_answer
from nip.scenario_base.text.conversation import Conversation
from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.dialogue_rules import DialogueRules
from nip.scenario_base.text.rollout import MessageRecord, Rollout, RolloutPlan
from nip.seeding import stable_seed

Complete = Callable[[Call], Awaitable[Completion]]
"""Asks a model; ``Engine.complete`` is one."""

NUM_SEEDS = 2**31
"""Services take seeds below this."""


async def play_rollout(
    rules: DialogueRules,
    agents: Mapping[str, TextAgent],
    datapoint: TextDatapoint,
    plan: RolloutPlan,
    complete: Complete,
) -> Rollout:
    """Play one dialogue to its end.

    Agents that write in the same round are asked at the same time, and none of them sees what the
    others write in it.

    Parameters
    ----------
    rules : DialogueRules
        How the agents converse.
    agents : mapping
        All agents by name.
    datapoint : TextDatapoint
        The question.
    plan : RolloutPlan
        Which dialogue it is.
    complete : callable
        Asks a model, with all retries that errors of the service call for.

    Returns
    -------
    rollout : Rollout
        The dialogue. If a call failed for good, its status is "failed", and it holds the messages
        that were finished before.

    Raises
    ------
    LanguageModelError
        If the error is one that ends the run.
    """
    conversation = Conversation(rules, datapoint, plan.seed)
    rollout = begin_rollout(datapoint, plan)
    while rollout.status == "unfinished":
        rollout = await play_round(conversation, agents, rollout, complete, plan.key_prefix)
    return rollout


def begin_rollout(datapoint: TextDatapoint, plan: RolloutPlan) -> Rollout:
    """Return a dialogue in which nothing has been said yet."""
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
    """Play the next round of a dialogue.

    Parameters
    ----------
    conversation : Conversation
        What the agents see.
    agents : mapping
        All agents by name.
    rollout : Rollout
        The dialogue so far, which must not be over.
    complete : callable
        Asks a model.
    key_prefix : str
        Beginning of the keys in the journal; empty: no journal.
    branch : tuple of int
        Tells apart the continuations of one dialogue, which differ in the seeds of their calls.
    """
    round = rollout.num_rounds
    writers = conversation.rules.episode.writers(round, rollout.seed)
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
    # What ends the run goes before what ends the dialogue.
    for each in results:
        if isinstance(each, BaseException) and each not in failures:
            raise each
    failures.sort(key=lambda failure: failure.policy is not ErrorPolicy.END_RUN)
    if failures:
        return _fail(rollout, said, failures[0])
    return _end_round(conversation.rules, rollout, said)


async def _take_turn(
    conversation: Conversation,
    agent: TextAgent,
    rollout: Rollout,
    complete: Complete,
    key_prefix: str,
    branch: tuple[int, ...],
) -> MessageRecord:
    """Ask an agent until its answer is valid or its retries are used up."""
    round = rollout.num_rounds
    form = conversation.answer_form(agent.name, round)
    messages = conversation.messages_for(agent.name, round, rollout.messages)
    usage = TokenUsage()
    problems: list[str] = []
    for attempt in range(agent.params.num_invalid_generation_retries + 1):
        call = _make_call(agent, messages, rollout.seed, round, attempt, key_prefix, branch)
        completion = await complete(call)
        usage += completion.usage
        answer = parse_answer(completion.text, form)
        if answer.problem is None:
            return _record(agent, round, completion, answer, usage, problems)
        problems.append(answer.problem)
    return MessageRecord(
        round=round,
        agent=agent.name,
        text="",
        channel_texts=dict.fromkeys(form.channels, ""),
        num_retries=len(problems) - 1,
        problems=tuple(problems),
        is_invalid=True,
        is_cut=completion.finish_reason == "length",
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        model=completion.model,
    )


def _record(
    agent: TextAgent,
    round: int,
    completion: Completion,
    answer: ParsedAnswer,
    usage: TokenUsage,
    problems: list[str],
) -> MessageRecord:
    return MessageRecord(
        round=round,
        agent=agent.name,
        text=completion.text,
        channel_texts=answer.channel_texts,
        decision=answer.decision,
        decision_value=answer.value,
        decision_text=answer.decision_text,
        num_retries=len(problems),
        problems=tuple(problems),
        is_cut=completion.finish_reason == "length",
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        model=completion.model,
    )


def _make_call(
    agent: TextAgent,
    messages: list[ChatMessage],
    seed: int,
    round: int,
    attempt: int,
    key_prefix: str,
    branch: tuple[int, ...],
) -> Call:
    params = agent.params
    prefix = "/".join([key_prefix, *([".".join(map(str, branch))] if branch else ())])
    return Call(
        model=agent.model,
        messages=messages,
        sampling=Sampling(
            temperature=params.temperature,
            top_p=params.top_p,
            max_tokens=params.token_limit,
            seed=stable_seed(seed, *branch, round, agent.name, attempt) % NUM_SEEDS,
        ),
        agent=agent.name,
        key=f"{prefix}/{round}/{agent.name}/{attempt}" if key_prefix else "",
        sample_index=attempt,
    )


def _end_round(rules: DialogueRules, rollout: Rollout, said: tuple[MessageRecord, ...]) -> Rollout:
    """Add the messages of a round to a dialogue, and pay the agents."""
    decider = next((each for each in said if each.agent == VERIFIER), None)
    outcome = rules.episode.step(
        y=rollout.y,
        stance=rollout.prover_stance,
        round=rollout.num_rounds,
        seed=rollout.seed,
        decision=decider.decision if decider else Decision.CONTINUE,
        value=decider.decision_value if decider else None,
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
    return (
        f"In round {record.round} no answer of {record.agent!r} was valid, the last one because "
        f"{record.problems[-1]}. Its message was left empty."
    )


def _fail(rollout: Rollout, said: tuple[MessageRecord, ...], error: LanguageModelError) -> Rollout:
    """End a dialogue by an error; one that ends the run is raised instead."""
    if error.policy is ErrorPolicy.END_RUN:
        raise error
    return replace(
        rollout,
        messages=rollout.messages + said,
        status="failed",
        error=type(error).__name__,
        error_message=str(error),
    )
