"""Answers by rule: regular expressions on a conversation choose what is said.

A file of rules lets a rehearsal or a test play whole dialogues without a language model.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from nip.errors import ParameterError, unknown_name
from nip.language_models.chat import ChatMessage
from nip.seeding import stable_seed

RULE_KEYS = ("when", "when_system", "answers", "recall")


def recall_key(messages: Sequence[ChatMessage]) -> str:
    """Give the name under which an answer to a conversation is remembered.

    Returns
    -------
    key : str
        The SHA-256 of the text of the first message, in hexadecimal digits.
    """
    text = messages[0]["content"] if messages else ""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class AnswerRule:
    """What is said in one kind of situation.

    An answer is a template: ``$name`` stands for what the group ``(?P<name>...)`` of one of the two
    expressions matched, and ``$$`` for a dollar sign.
    """

    when: re.Pattern[str] | None
    """Searched in the last message of the user; None fits any."""

    when_system: re.Pattern[str] | None
    """Searched in the first message of the conversation; None fits any."""

    answers: tuple[str, ...]
    """Templates of what may be said; the seed and the number of messages choose."""

    recall: bool = False
    """Whether an answer that is remembered for this conversation goes before ``answers``."""

    @property
    def group_names(self) -> set[str]:
        """The names that a template may use."""
        patterns = [each for each in (self.when, self.when_system) if each is not None]
        return {name for pattern in patterns for name in pattern.groupindex}

    def match(self, first: str, last: str) -> dict[str, str] | None:
        """Say what the named groups matched; None where the rule does not fit."""
        groups: dict[str, str] = {}
        for pattern, text in ((self.when_system, first), (self.when, last)):
            if pattern is None:
                continue
            found = pattern.search(text)
            if found is None:
                return None
            groups |= {name: value or "" for name, value in found.groupdict().items()}
        return groups


@dataclass(frozen=True)
class AnswerRules:
    """Rules in the order in which they are tried, and what is said where none fits."""

    rules: tuple[AnswerRule, ...]
    """The first that fits and has an answer wins."""

    otherwise: tuple[str, ...]
    """Templates of what may be said where no rule fits."""

    @classmethod
    def from_file(cls, path: str | Path) -> "AnswerRules":
        """Read rules from a file of YAML, or of JSON when its name ends in ``.json``.

        Raises
        ------
        ParameterError
            If the file cannot be read, or does not hold rules; the message names file and rule.
        """
        return cls.from_dict(_read_mapping(Path(path)), source=str(path))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any], source: str = "the rules") -> "AnswerRules":
        """Build rules from ``{"rules": [{"when": ..., "answers": [...]}], "otherwise": [...]}``.

        Parameters
        ----------
        tree : Mapping[str, Any]
            The rules as plain data.
        source : str
            Where they come from, for error messages.

        Raises
        ------
        ParameterError
            If a key is unknown, an expression is none, or an answer is missing or no text.
        """
        _check_keys(tree, ("rules", "otherwise"), source)
        rules = tree.get("rules", ())
        if isinstance(rules, str) or not isinstance(rules, Sequence):
            raise ParameterError(f"{source}: rules must be a list, got {rules!r}.")
        otherwise = _read_answers(tree.get("otherwise"), "otherwise", source)
        _check_templates(otherwise, set(), f"{source}: otherwise")
        numbered = enumerate(rules, start=1)
        return cls(
            tuple(_read_rule(rule, f"{source}: rule {number}") for number, rule in numbered),
            otherwise,
        )

    def answer(
        self,
        messages: Sequence[ChatMessage],
        seed: int,
        recall: Mapping[str, str] | None = None,
    ) -> str:
        """Answer a conversation.

        Parameters
        ----------
        messages : Sequence[ChatMessage]
            What was said so far.
        seed : int
            Chooses among the answers of a rule, together with the number of messages.
        recall : Mapping[str, str], optional
            Answers that are remembered, by ``recall_key`` of the conversation. A rule with
            ``recall: true`` gives them as they are.
        """
        first = messages[0]["content"] if messages else ""
        last = next((each["content"] for each in reversed(messages) if each["role"] == "user"), "")
        number = stable_seed(seed, len(messages))
        for rule in self.rules:
            groups = rule.match(first, last)
            if groups is None:
                continue
            if rule.recall and recall and (key := recall_key(messages)) in recall:
                return recall[key]
            if rule.answers:
                return _fill_in(rule.answers, number, groups)
        return _fill_in(self.otherwise, number, {})


def _fill_in(answers: tuple[str, ...], number: int, groups: Mapping[str, str]) -> str:
    return Template(answers[number % len(answers)]).safe_substitute(groups)


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ParameterError(
            f"The rules of answers {str(path)!r} cannot be read: {reason}. Name an existing file."
        ) from error
    try:
        tree = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        raise ParameterError(
            f"The rules of answers {str(path)!r} are no {kind}: {error}"
        ) from error
    if not isinstance(tree, Mapping):
        raise ParameterError(
            f"The rules of answers {str(path)!r} must be a mapping with the keys rules and "
            f"otherwise, got {type(tree).__name__}."
        )
    return tree


def _read_rule(tree: Any, source: str) -> AnswerRule:
    if not isinstance(tree, Mapping):
        raise ParameterError(f"{source} must be a mapping, got {tree!r}.")
    _check_keys(tree, RULE_KEYS, source)
    recall = tree.get("recall", False)
    if not isinstance(recall, bool):
        raise ParameterError(f"{source}: recall must be true or false, got {recall!r}.")
    # What a rule remembers may be all it says.
    is_silent = recall and "answers" not in tree
    answers = () if is_silent else _read_answers(tree.get("answers"), "answers", source)
    when, when_system = (_read_pattern(tree, key, source) for key in ("when", "when_system"))
    rule = AnswerRule(when, when_system, answers, recall)
    _check_templates(answers, rule.group_names, source)
    return rule


def _check_keys(tree: Mapping[str, Any], known: tuple[str, ...], source: str) -> None:
    for key in tree:
        if key not in known:
            raise ParameterError(f"{source}: {unknown_name('key', str(key), known)}")


def _read_pattern(tree: Mapping[str, Any], key: str, source: str) -> re.Pattern[str] | None:
    value = tree.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ParameterError(f"{source}: {key} must be a regular expression, got {value!r}.")
    try:
        return re.compile(value)
    except re.error as error:
        raise ParameterError(
            f"{source}: {key} must be a regular expression, got {value!r}: {error}."
        ) from error


def _read_answers(value: Any, key: str, source: str) -> tuple[str, ...]:
    answers = [value] if isinstance(value, str) else value
    is_list = isinstance(answers, Sequence) and len(answers) > 0
    if not is_list or not all(isinstance(each, str) for each in answers):
        raise ParameterError(
            f"{source}: {key} must be one or more texts, got {value!r}. "
            f"Put what YAML takes for something else into quotation marks."
        )
    return tuple(answers)


def _check_templates(answers: tuple[str, ...], names: set[str], source: str) -> None:
    for answer in answers:
        for name in Template(answer).get_identifiers():
            if name not in names:
                raise ParameterError(
                    f"{source}: the answer {answer!r} uses ${name}, but no expression of its rule "
                    f"has a group (?P<{name}>...). Add one, or write $${name} for the plain text."
                )
