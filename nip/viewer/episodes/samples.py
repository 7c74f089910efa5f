"""Reading of the episodes that a run has written; a damaged one is shown as raw text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nip.errors import NipError
from nip.utils.files import read_text
from nip.utils.readable_yaml import dump_readable
from nip.utils.safe_yaml import load_yaml

FOLDER = "rollouts"
"""Folder of the run into which the callback ``rollout_samples`` writes."""

MAX_EPISODES = 200
"""Maximum number of episodes of one sample that are shown."""


@dataclass(frozen=True)
class Bar:
    """One probability."""

    name: str
    """What is probable: a symbol or a decision."""

    share: float
    """The probability."""

    is_chosen: bool
    """Whether this is what the agent did."""


@dataclass(frozen=True)
class Said:
    """What one agent wrote on one channel in one round."""

    channel: str
    """Name of the channel."""

    agent: str
    """Name of the agent."""

    kind: str
    """Name of the symbols, such as ``node_selected``."""

    symbols: list[tuple[int, ...]]
    """The symbols; one from a grid has several coordinates."""

    bars: list[Bar] = field(default_factory=list)
    """Probabilities of the most probable symbols; empty if they were not stored."""


@dataclass(frozen=True)
class Decided:
    """The decision of one agent in one round."""

    agent: str
    """Name of the agent."""

    decision: str
    """``accept``, ``reject`` or ``continue``."""

    bars: list[Bar] = field(default_factory=list)
    """Probability of each decision; empty if they were not stored."""


@dataclass(frozen=True)
class EpisodeRound:
    """One round of an episode."""

    number: int
    """Number of the round, from 1."""

    said: list[Said]
    """The messages."""

    decided: list[Decided]
    """The decisions."""


@dataclass(frozen=True)
class Episode:
    """One episode, or the raw text of what should be one."""

    index: int
    """Position in its sample, from 0."""

    datapoint: int | None = None
    """Index of the question in its split."""

    label: str = ""
    """The true label."""

    verdict: str = ""
    """The verdict."""

    rewards: dict[str, float] = field(default_factory=dict)
    """Reward of each agent in the episode."""

    rounds: list[EpisodeRound] = field(default_factory=list)
    """The rounds."""

    raw: str = ""
    """The stored text of a damaged episode; else empty."""

    @property
    def outcome(self) -> str:
        """``right``, ``wrong``, ``undecided`` or ``damaged``."""
        if self.raw:
            return "damaged"
        if self.verdict not in ("accept", "reject"):
            return "undecided"
        return "right" if self.verdict == self.label else "wrong"


@dataclass(frozen=True)
class Sample:
    """The episodes of one iteration."""

    episodes: list[Episode]
    """The episodes."""

    problem: str = ""
    """Why the file cannot be read; empty if it can."""

    raw: str = ""
    """Text of a file that cannot be read."""


def sample_iterations(folder: Path) -> list[int]:
    """Return the iterations with episodes, in ascending order."""
    names = [path.name for path in (folder / FOLDER).glob("iteration_*.yaml")]
    matches = [re.fullmatch(r"iteration_(\d+)\.yaml", name, re.ASCII) for name in names]
    return sorted(int(match[1]) for match in matches if match)


def read_sample(folder: Path, iteration: int) -> Sample:
    """Read the episodes of one iteration."""
    text = ""
    try:
        text = read_text(_file_of(folder, iteration))
        stored = load_yaml(text)
    except (NipError, OSError, yaml.YAMLError) as error:
        return Sample([], str(error), text)
    if not isinstance(stored, list):
        return Sample([], "It is not a list of episodes.", text)
    return Sample([_episode(index, each) for index, each in enumerate(stored[:MAX_EPISODES])])


def episodes_of_datapoint(folder: Path, datapoint: int) -> list[tuple[int, Episode]]:
    """Return the iterations and episodes of one question, in the order of the iterations.

    Files that do not name the question are not parsed, which takes much longer than reading them.
    """
    is_named = re.compile(rf"^[- ]*datapoint_id: {datapoint}$", re.MULTILINE)
    found = []
    for iteration in sample_iterations(folder):
        try:
            text = read_text(_file_of(folder, iteration))
        except (NipError, OSError):
            continue  # The page of its iteration shows why.
        if is_named.search(text):
            episodes = read_sample(folder, iteration).episodes
            found += [(iteration, each) for each in episodes if each.datapoint == datapoint]
    return found


def _file_of(folder: Path, iteration: int) -> Path:
    return folder / FOLDER / f"iteration_{iteration:06d}.yaml"


def _episode(index: int, stored: Any) -> Episode:
    try:
        return Episode(
            index=index,
            datapoint=_whole(stored["datapoint_id"]),
            label=("reject", "accept")[_whole(stored["label"])],
            verdict=str(stored["verdict"]),
            rewards={str(name): float(value) for name, value in stored["rewards"].items()},
            rounds=[_round(each) for each in stored["rounds"]],
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return Episode(index, raw=dump_readable(stored) or "(nothing)")


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value


def _round(stored: Mapping[str, Any]) -> EpisodeRound:
    probable = stored.get("message_probabilities", {})
    said = [
        Said(channel, agent, kind, symbols, _symbol_bars(probable, channel, agent, kind, symbols))
        for channel, of_channel in stored["messages"].items()
        for agent, written in of_channel.items()
        for kind, listed in written.items()
        for symbols in [[_symbol(each) for each in listed]]
    ]
    shares = stored.get("decision_probabilities", {})
    decided = [
        Decided(agent, str(decision), _bars(shares.get(agent, {}), str(decision)))
        for agent, decision in stored["decisions"].items()
    ]
    return EpisodeRound(_whole(stored["round"]), said, decided)


def _symbol(stored: Any) -> tuple[int, ...]:
    return tuple(_whole(each) for each in (stored if isinstance(stored, list) else [stored]))


def _symbol_bars(
    probable: Mapping[str, Any], channel: str, agent: str, kind: str, symbols: list[tuple[int, ...]]
) -> list[Bar]:
    positions = probable.get(channel, {}).get(agent, {}).get(kind, [])
    bars: list[Bar] = []
    for shares, symbol in zip(positions, symbols, strict=False):
        bars += _bars({str(name): share for name, share in shares.items()}, _name(symbol))
    return bars


def _name(symbol: tuple[int, ...]) -> str:
    return " ".join(map(str, symbol))


def _bars(shares: Mapping[str, Any], chosen: str) -> list[Bar]:
    return [
        Bar(str(name), min(1.0, max(0.0, float(share))), str(name) == chosen)
        for name, share in shares.items()
    ]
