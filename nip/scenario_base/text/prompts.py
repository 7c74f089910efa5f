"""Templates of system prompts: loading, checking and rendering them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template

from nip.errors import ParameterError, unknown_name
from nip.scenario_base.text.quoting import delimiters_in, without_delimiters
from nip.utils.files import regular

PLACEHOLDERS = {
    "agent_name": "the name of the agent in the conversation",
    "question": "the problem",
    "solution": "the text that is judged",
    "max_response_words": "number of words to which a message should keep",
    "max_questions": "number of messages that the verifier writes at most",
    "max_messages": "number of messages that the agent writes at most",
    "order_string": "who writes when, and in how many rounds",
    "agent_stance_string": "what the agent argues for, and what it is rewarded for",
    "prover_stance_string": "the same of all other agents except the verifier",
    "decision_instruction": "when and how the verifier decides",
    "channel_instruction": "how to write to several channels at once; else nothing",
}
"""Placeholders of templates, with their meanings."""

QUOTED = ("question", "solution")
"""Placeholders of texts that come from the data."""

_DECISION_WORD = "Decision:"
_STRAY_DOLLAR = re.compile(r"\$(?!\$|[A-Za-z_]|\{)")


@dataclass(frozen=True)
class PromptTemplate:
    """The template of the system prompt of one agent."""

    source: str
    """Origin of the template, for error messages."""

    text: str
    """Text of the template."""

    @property
    def names(self) -> list[str]:
        """Names of the placeholders that it uses."""
        return Template(self.text).get_identifiers()

    def render(self, values: Mapping[str, str]) -> str:
        """Substitute the placeholders by values, which are not expanded themselves.

        In the question and the solution, a backslash is put into tags and fences of the template,
        so that they cannot seem to end where they do not.
        """
        return Template(self.text).substitute(
            {
                name: without_delimiters(value, self._delimiters) if name in QUOTED else value
                for name, value in values.items()
            }
        )

    @cached_property
    def _delimiters(self) -> tuple[str, ...]:
        return delimiters_in(self.text)


@dataclass(frozen=True)
class PromptNeeds:
    """Information that the template of one agent must contain."""

    decides: bool = False
    """Whether it must explain how to decide."""

    headers: tuple[str, ...] = ()
    """Headers that it must mention."""

    has_random_stance: bool = False
    """Whether it must state the stance, which varies between datapoints."""

    texts: tuple[str, ...] = QUOTED
    """Texts of the datapoint that the agent sees; the others must not be in it."""


def load_prompt(folder: Path, protocol: str, agent: str) -> PromptTemplate:
    """Read the template ``<protocol>/<agent>.txt`` of a folder.

    Raises
    ------
    ParameterError
        If the file is missing or cannot be read.
    """
    path = folder / protocol / f"{agent}.txt"
    try:
        return PromptTemplate(str(path), regular(path).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ParameterError(
            f"The system prompt {str(path)!r} of agent {agent!r} cannot be read: {reason}. The "
            f"folder needs a file {protocol}/<agent>.txt for each agent; with prompt_folder=null, "
            "the built-in ones are used."
        ) from error


def check_prompt(prompt: PromptTemplate, needs: PromptNeeds) -> None:
    """Check that a template can be rendered and contains all that the agent needs.

    Raises
    ------
    ParameterError
        With all problems found.
    """
    problems = [*_unreadable(prompt)] or [
        *_unknown(prompt),
        *_missing(prompt, needs),
        *_hidden(prompt, needs),
    ]
    if problems:
        raise ParameterError(*(f"System prompt {prompt.source!r}: {each}" for each in problems))


def _unreadable(prompt: PromptTemplate) -> list[str]:
    if _STRAY_DOLLAR.search(prompt.text.replace("$$", "")) or not Template(prompt.text).is_valid():
        return ["a dollar sign must begin the name of a placeholder. For a plain one, write $$."]
    return []


def _unknown(prompt: PromptTemplate) -> list[str]:
    return [
        f"{unknown_name('placeholder', name, PLACEHOLDERS)} For a plain dollar sign, write $$."
        for name in prompt.names
        if name not in PLACEHOLDERS
    ]


def _missing(prompt: PromptTemplate, needs: PromptNeeds) -> list[str]:
    """Return a message for each placeholder that the template lacks."""
    names = set(prompt.names)
    required = list(needs.texts)
    if needs.decides and _DECISION_WORD not in prompt.text:
        required.append("decision_instruction")
    if not all(f"[{header}]" in prompt.text for header in needs.headers):
        required.append("channel_instruction")
    if needs.has_random_stance:
        required.append("prover_stance_string" if needs.decides else "agent_stance_string")
    return [
        f"${name} must be in it ({PLACEHOLDERS[name]}), since the agent needs it. Add it."
        for name in required
        if name not in names
    ]


def _hidden(prompt: PromptTemplate, needs: PromptNeeds) -> list[str]:
    """Return a message for each placeholder of a text that the agent must not see."""
    return [
        f"${name} must not be in it ({PLACEHOLDERS[name]}), since it is hidden from the agent. "
        "Remove it."
        for name in QUOTED
        if name in prompt.names and name not in needs.texts
    ]
