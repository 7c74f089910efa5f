"""Write transcripts of rollouts as YAML or JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nip.scenario_base.text.datapoint import TextDatapoint
from nip.scenario_base.text.rollout import MessageRecord, Rollout
from nip.utils.files import make_folder, open_atomically
from nip.utils.readable_yaml import dump_readable
from nip.utils.unicode_text import escape_controls

FOLDER = "transcripts"
"""Subfolder of the folder of a run."""

DECISION_NAMES = ("reject", "accept", None)

EVIDENCE = ("failing_input", "expected", "actual")
"""Data of a wrong solution that shows its mistake; agents do not see it."""


def write_transcripts(
    run_folder: Path | str,
    phase: str,
    iteration: int,
    transcripts: Iterable[Mapping[str, Any]],
    file_format: Literal["json", "yaml"] = "yaml",
) -> Path:
    """Write the transcripts of a stage, replacing an existing file atomically, and return its path.

    ``transcripts`` are results of ``transcript_of``, consumed one by one, so that they need not fit
    into memory. Either format is a list with one entry per rollout. Each prompt is written once;
    see ``_with_prompts_once``. The file is for example ``transcripts/iteration_0001_train.yaml``;
    iterations are counted from 1.
    """
    transcripts = _with_prompts_once(transcripts)
    path = Path(run_folder) / FOLDER / f"iteration_{iteration:04d}_{phase}.{file_format}"
    make_folder(path.parent)
    pieces = _yaml_pieces(transcripts) if file_format == "yaml" else _json_pieces(transcripts)
    with open_atomically(path) as file:
        for piece in pieces:
            # Text of a service may contain an unpaired surrogate, which UTF-8 cannot encode.
            file.write(piece.encode("utf-8", errors="replace"))
    return path


def transcript_of(
    rollout: Rollout,
    datapoint: TextDatapoint,
    agent_names: Sequence[str],
    prompts: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a readable form of a rollout as plain data, without empty entries.

    The outcome and the dialogue come first; rounds are counted from 1. ``prompts`` holds the system
    prompt of each agent without the datapoint; ``agent_names`` the order of the protocol.
    """
    decided = rollout.verdict in (0, 1)
    tree: dict[str, Any] = {
        "position": rollout.position,
        "datapoint_id": rollout.datapoint_id,
        "status": rollout.status,
        "label": DECISION_NAMES[rollout.y],
        "verdict": DECISION_NAMES[rollout.verdict],
        "verdict_is_right": rollout.verdict == rollout.y if decided else None,
    }
    if rollout.is_failed:
        tree |= {"error": rollout.error, "error_message": rollout.error_message}
    if rollout.warnings:
        tree["warnings"] = list(rollout.warnings)
    tree["rounds"] = [_round(rollout, number, agent_names) for number in _round_numbers(rollout)]
    tree |= {"question": datapoint.question, "solution": datapoint.solution}
    tree |= {
        name: datapoint.extra[name] for name in EVIDENCE if datapoint.extra.get(name) is not None
    }
    totals = {name: rollout.total_reward(index) for index, name in enumerate(agent_names)}
    tree |= {
        "verdict_value": rollout.verdict_value,
        "rounds_ran_out": rollout.is_terminated,
        "rewards": None if rollout.is_failed else totals,
        "copy": rollout.copy,
        "seed": rollout.seed,
    }
    if prompts:
        tree["prompts"] = dict(prompts)
    return tree


def _with_prompts_once(transcripts: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Leave out each prompt that an earlier entry has already.

    An agent without an entry in ``prompts`` has the first prompt of that agent in the file, and
    ``same as at position 3`` refers to another one.
    """
    first: dict[str, str] = {}
    position_of: dict[tuple[str, str], int] = {}
    for tree in transcripts:
        prompts = {}
        for agent, prompt in tree.get("prompts", {}).items():
            if (agent, prompt) not in position_of:
                position_of[agent, prompt] = tree["position"]
                first.setdefault(agent, prompt)
                prompts[agent] = prompt
            elif prompt != first[agent]:
                prompts[agent] = f"same as at position {position_of[agent, prompt]}"
        rest = {name: value for name, value in tree.items() if name != "prompts"}
        yield {**rest, "prompts": prompts} if prompts else rest


def _round_numbers(rollout: Rollout) -> range:
    """Return all rounds; the last one of a failed rollout may have messages but no rewards."""
    num_started = max((message.round + 1 for message in rollout.messages), default=0)
    return range(max(num_started, rollout.num_rounds))


def _round(rollout: Rollout, number: int, agent_names: Sequence[str]) -> dict[str, Any]:
    messages = [_message(each) for each in rollout.messages if each.round == number]
    tree: dict[str, Any] = {"round": number + 1, "messages": messages}
    rewards = rollout.rewards[number] if number < rollout.num_rounds else ()
    if any(rewards):
        tree["rewards"] = dict(zip(agent_names, rewards, strict=True))
    return tree


def _message(message: MessageRecord) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "agent": message.agent,
        "raw": message.text,
        "channels": dict(message.channel_texts),
    }
    if message.decision in (0, 1):
        tree["decision"] = DECISION_NAMES[message.decision]
        tree |= {"decision_value": message.decision_value, "decision_text": message.decision_text}
    if message.num_retries:
        tree |= {"num_retries": message.num_retries, "problems": list(message.problems)}
    tree |= {name: True for name in ("is_invalid", "is_cut") if getattr(message, name)}
    tree["tokens"] = {"prompt": message.prompt_tokens, "completion": message.completion_tokens}
    if message.model:
        tree["model"] = message.model
    return tree


def _yaml_pieces(trees: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    is_empty = True
    for tree in trees:
        yield ("" if is_empty else "\n") + dump_readable([tree])
        is_empty = False
    if is_empty:
        yield "[]\n"


def _json_pieces(trees: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    opening = "[\n"
    for tree in trees:
        yield opening + escape_controls(json.dumps(tree, indent=2, ensure_ascii=False))
        opening = ",\n"
    yield "[]\n" if opening == "[\n" else "\n]\n"
