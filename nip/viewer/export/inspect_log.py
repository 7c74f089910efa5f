"""Export of dialogues to the log format of Inspect (version 2, as JSON).

Inspect AI (UK AI Security Institute) defines the format in ``inspect_ai.log.EvalLog``. Its viewer
and its scanners read these logs; nothing of Inspect is needed to write them.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from nip.errors import ParameterError
from nip.language_models.chat import ChatMessage
from nip.protocols.rules import VERIFIER
from nip.scenario_base.text.rollout import MessageRecord
from nip.utils.unicode_text import valid_unicode
from nip.viewer.dialogues.dialogue_view import DialogueView
from nip.viewer.export.html_page import ExportedDialogue
from nip.viewer.runs.summary import RunSummary

VERSION = 2
"""Version of the format."""

_STATUS = {"completed": "success", "failed": "error"}
_SCORES = {"right": "C", "wrong": "I", "undecided": "N"}
_NOW = "1970-01-01T00:00:00+00:00"


def inspect_log(run: RunSummary, dialogues: Sequence[ExportedDialogue]) -> dict[str, Any]:
    """Return dialogues of one run as a log of Inspect, which is JSON-compatible.

    A dialogue becomes a sample. Its messages are those that the verifier was sent, with its last
    answer; a model event of each turn has what that agent was sent, private channels included.
    The verdict is its score: ``C`` (right), ``I`` (wrong) or ``N`` (no decision).

    Parameters
    ----------
    run : RunSummary
        The run.
    dialogues : sequence of ExportedDialogue
        Dialogues of this run; damaged records are left out.

    Raises
    ------
    ParameterError
        If none of the dialogues can be read.
    """
    sound = [each for each in dialogues if each.view.rollout is not None]
    if not sound:
        raise ParameterError("There is no dialogue to export that can be read. Choose others.")
    started = _time(run.started)
    models = {turn.message.model for each in sound for turn in each.view.turns}
    samples = [_sample(each, started) for each in sound]
    return {
        "version": VERSION,
        "status": _STATUS.get(run.status, "started"),
        "eval": {
            "eval_id": _identifier(run.run_id, "eval"),
            "run_id": _identifier(run.run_id, "run"),
            "created": started,
            "task": f"{run.parameter('scenario')}/{run.parameter('interaction_protocol')}",
            "task_id": _identifier(run.run_id, "task"),
            "task_version": 0,
            "task_attribs": {},
            "task_args": {
                "run": run.run_id,
                "trainer": run.parameter("trainer"),
                "seed": run.parameter("seed"),
            },
            "dataset": {
                "name": run.parameter("dataset"),
                "samples": len(samples),
                "sample_ids": [sample["id"] for sample in samples],
                "shuffled": False,
            },
            "model": ", ".join(sorted(filter(None, models))) or "none",
            "model_args": {},
            "config": {},
            "packages": {},
            "metadata": {"nip_parameters": run.parameters},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": _results(sound),
        "stats": {"started_at": started, "completed_at": started, "model_usage": _usage(sound)},
        "samples": samples,
    }


def dump(log: dict[str, Any]) -> str:
    """Return a log as text."""
    return json.dumps(log, indent=1, ensure_ascii=True, allow_nan=False)


def _sample(dialogue: ExportedDialogue, time: str) -> dict[str, Any]:
    view, rollout = dialogue.view, dialogue.view.rollout
    assert rollout is not None
    identifier = f"{view.place.phase}/{view.place.iteration}/{view.place.position}"
    messages = _messages(dialogue, identifier)
    question = view.datapoint
    sample = {
        "id": identifier,
        "epoch": 1,
        "input": question.question if question else rollout.datapoint_id,
        "target": view.label,
        "messages": messages,
        "output": _output(view.turns[-1].message if view.turns else None),
        "scores": {"verdict": _score(view)},
        "metadata": {
            "datapoint_id": rollout.datapoint_id,
            "phase": view.place.phase,
            "iteration": view.place.iteration,
            "position": view.place.position,
            "verdict": view.verdict,
            "rewards": view.rewards,
            "solution": question.solution if question else None,
            "warnings": list(rollout.warnings),
        },
        "store": {},
        "events": _events(dialogue, identifier, time),
        "model_usage": _usage([dialogue]),
    }
    if rollout.is_failed:
        message = f"{rollout.error}: {rollout.error_message}"
        sample["error"] = {"message": message, "traceback": "", "traceback_ansi": ""}
    return sample


def _messages(dialogue: ExportedDialogue, identifier: str) -> list[dict[str, Any]]:
    """Return the dialogue as the verifier saw it; without its prompts, all messages."""
    requests = dialogue.sent.get(VERIFIER)
    if requests:
        last = requests[-1]
        sent = [_chat(each, f"{identifier}/{i}") for i, each in enumerate(last.messages)]
        return sent if last.answer is None else [*sent, _answer(last.answer, f"{identifier}/last")]
    return [_answer(turn.message, f"{identifier}/{turn.index}") for turn in dialogue.view.turns]


def _events(dialogue: ExportedDialogue, identifier: str, time: str) -> list[dict[str, Any]]:
    """Return a model event of each turn, in the order of the dialogue."""
    sent = {
        (agent, request.round): request.messages
        for agent, requests in dialogue.sent.items()
        for request in requests
    }
    events = []
    for turn in dialogue.view.turns:
        message = turn.message
        name = f"{identifier}/turn/{turn.index}"
        given = sent.get((message.agent, message.round), [])
        events.append(
            {
                "event": "model",
                "uuid": _identifier(name, "event"),
                "timestamp": time,
                "working_start": 0.0,
                "model": message.model or "none",
                "role": message.agent,
                "input": [_chat(each, f"{name}/{i}") for i, each in enumerate(given)],
                "tools": [],
                "tool_choice": "none",
                "config": {},
                "output": _output(message),
                "metadata": {
                    "agent": message.agent,
                    "round": message.round + 1,
                    "channels": dict(message.channel_texts),
                    "readers": {part.channel: list(part.readers) for part in turn.channels},
                    "decision": turn.decision,
                    "num_retries": message.num_retries,
                    "problems": list(message.problems),
                },
            }
        )
    return events


def _chat(message: ChatMessage, name: str) -> dict[str, Any]:
    return {
        "id": _identifier(name, "message"),
        "role": message["role"],
        "content": valid_unicode(message["content"]),
    }


def _answer(message: MessageRecord, name: str) -> dict[str, Any]:
    return {
        "id": _identifier(name, "message"),
        "role": "assistant",
        "content": valid_unicode(message.text),
        "source": "generate",
        "model": message.model or "none",
        "metadata": {"agent": message.agent, "round": message.round + 1},
    }


def _output(message: MessageRecord | None) -> dict[str, Any]:
    if message is None:
        return {"model": "none", "choices": []}
    answer = _answer(message, f"{message.agent}/{message.round}")
    return {
        "model": message.model or "none",
        "choices": [{"message": answer, "stop_reason": "max_tokens" if message.is_cut else "stop"}],
        "usage": {
            "input_tokens": message.prompt_tokens,
            "output_tokens": message.completion_tokens,
            "total_tokens": message.prompt_tokens + message.completion_tokens,
        },
    }


def _score(view: DialogueView) -> dict[str, Any]:
    answer = view.verdict if view.verdict != "none" else None
    return {
        "value": _SCORES.get(view.outcome, "N"),
        "answer": answer,
        "explanation": f"verdict {view.verdict}, label {view.label}: {view.outcome}",
        "metadata": {"rewards": view.rewards},
    }


def _results(dialogues: Sequence[ExportedDialogue]) -> dict[str, Any]:
    outcomes = [each.view.outcome for each in dialogues]
    accuracy = outcomes.count("right") / len(outcomes)
    return {
        "total_samples": len(outcomes),
        "completed_samples": len(outcomes) - outcomes.count("failed"),
        "scores": [
            {
                "name": "verdict",
                "scorer": "verdict",
                "params": {},
                "metrics": {"accuracy": {"name": "accuracy", "value": accuracy, "params": {}}},
            }
        ],
    }


def _usage(dialogues: Sequence[ExportedDialogue]) -> dict[str, dict[str, int]]:
    usage: dict[str, dict[str, int]] = {}
    for dialogue in dialogues:
        for turn in dialogue.view.turns:
            names = ("input_tokens", "output_tokens", "total_tokens")
            entry = usage.setdefault(turn.message.model or "none", dict.fromkeys(names, 0))
            entry["input_tokens"] += turn.message.prompt_tokens
            entry["output_tokens"] += turn.message.completion_tokens
            entry["total_tokens"] = entry["input_tokens"] + entry["output_tokens"]
    return usage


def _time(text: str) -> str:
    """Return a time in the form that the format demands; the beginning of 1970 if unknown."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds")
    except ValueError:
        return _NOW


def _identifier(name: str, kind: str) -> str:
    """Return an identifier that is the same each time, of the length of Inspect's own."""
    return hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:22]
