"""Rendering of dialogues in the terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from nip.protocols.rules import VERIFIER
from nip.rollout_analysis.text_run import Stage, TextRun
from nip.scenario_base.text.rollout import Rollout
from nip.trainers.text.transcripts import EVIDENCE, transcript_of
from nip.utils.unicode_text import visible

_COLOURS = ("cyan", "magenta", "yellow", "blue")
_VERIFIER_COLOUR = "green"


@dataclass(frozen=True)
class TranscriptFilter:
    """Criteria by which dialogues are selected."""

    wrong: bool = False
    """Only dialogues without a correct verdict, including those without any."""

    failed: bool = False
    """Only dialogues that ended with an error."""

    datapoint_id: str | None = None
    """Only dialogues about this datapoint."""

    def admits(self, rollout: Rollout) -> bool:
        """Return whether a dialogue is selected."""
        if self.wrong and (rollout.is_failed or rollout.verdict == rollout.y):
            return False
        if self.failed and not rollout.is_failed:
            return False
        return self.datapoint_id in (None, rollout.datapoint_id)


def chosen_transcripts(
    run: TextRun, stage: Stage, chosen: TranscriptFilter
) -> Iterator[dict[str, Any]]:
    """Yield the selected dialogues of a stage in the format of ``transcript_of``."""
    phase, iteration = stage
    agent_names = run.instance.protocol_handler.agent_names
    for rollout in run.stored.each(phase, iteration - 1):
        if chosen.admits(rollout):
            datapoint = run.stored.dataset(phase)[rollout.datapoint]
            yield transcript_of(rollout, datapoint, agent_names)


def render_transcript(
    transcript: dict[str, Any], stage: Stage, agent_names: tuple[str, ...], *, raw: bool = False
) -> RenderableType:
    """Render a dialogue in the format of ``transcript_of`` for the terminal.

    The order of the agents determines their colours. ``raw`` shows the unparsed output of the
    models instead of the messages on each channel.
    """
    transcript = _visible_tree(transcript)
    parts: list[RenderableType] = [
        Rule(Text(_title(transcript, stage)), align="left"),
        _outcome(transcript),
    ]
    for each in transcript["rounds"]:
        for message in each["messages"]:
            parts.append(_message(message, each["round"], agent_names, raw))
    parts += [
        Panel(Text(transcript["question"]), title="problem", title_align="left"),
        Panel(Syntax(transcript["solution"], "python"), title="solution", title_align="left"),
        *_evidence(transcript),
    ]
    return Group(*parts, Text(""))


def _visible_tree(tree: Any) -> Any:
    """Return the same data with visible control characters, so that borders are where they fit."""
    if isinstance(tree, dict):
        return {_visible_tree(name): _visible_tree(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_visible_tree(value) for value in tree]
    return visible(tree) if isinstance(tree, str) else tree


def _evidence(transcript: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield a panel with the input on which a wrong solution fails, if it is known."""
    lines = [
        f"{name.replace('_', ' ')}: {transcript[name]}" for name in EVIDENCE if name in transcript
    ]
    if lines:
        yield Panel(Text("\n".join(lines)), title="mistake", title_align="left")


def _title(transcript: dict[str, Any], stage: Stage) -> str:
    phase, iteration = stage
    copy = f" (copy {transcript['copy'] + 1})" if transcript["copy"] else ""
    place = f"{phase} {iteration}, position {transcript['position']}"
    return f"{place}: {transcript['datapoint_id']}{copy}"


def _outcome(transcript: dict[str, Any]) -> Text:
    if transcript["status"] == "failed":
        return Text(f"failed: {transcript['error']}: {transcript['error_message']}", style="red")
    is_right = transcript["verdict_is_right"]
    verdict = transcript["verdict"] or "none (the rounds ran out)"
    text = Text(f"verdict {verdict}, label {transcript['label']}; ")
    text.append(
        {True: "right", False: "wrong", None: "undecided"}[is_right],
        style="green" if is_right else "red",
    )
    rewards = ", ".join(f"{name} {value:g}" for name, value in transcript["rewards"].items())
    return text.append(f"; rewards: {rewards}")


def _message(
    message: dict[str, Any], round: int, agent_names: tuple[str, ...], raw: bool
) -> RenderableType:
    agent = message["agent"]
    title = f"round {round}, {agent}"
    if "decision" in message:
        title += f": {message['decision']}"
    notes = [
        f"asked again {message['num_retries']} times" if "num_retries" in message else "",
        "no valid answer" if "is_invalid" in message else "",
        "cut at the token limit" if "is_cut" in message else "",
    ]
    return Panel(
        Text(message["raw"] if raw else _on_channels(message["channels"])),
        title=Text(title),
        title_align="left",
        subtitle=Text(", ".join(filter(None, notes))) if any(notes) else None,
        subtitle_align="left",
        border_style=_colour(agent, agent_names),
    )


def _on_channels(channels: dict[str, str]) -> str:
    if len(channels) == 1:
        return next(iter(channels.values())) or "(nothing)"
    return "\n\n".join(f"[{name}]\n{text or '(nothing)'}" for name, text in channels.items())


def _colour(agent: str, agent_names: tuple[str, ...]) -> str:
    if agent == VERIFIER:
        return _VERIFIER_COLOUR
    return _COLOURS[agent_names.index(agent) % len(_COLOURS)]
