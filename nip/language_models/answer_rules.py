"""Answer conversations by rules with regular expressions, without a language model.

Used by the provider ``scripted`` and by the mock model ``dialogue``.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from nip.errors import ParameterError, shown, unknown_name
from nip.language_models.chat import ChatMessage
from nip.seeding import stable_seed
from nip.utils.exact_json import load_strictly
from nip.utils.files import regular
from nip.utils.safe_yaml import load_yaml

RULE_KEYS = ("when", "when_system", "answers", "recall")


def recall_key(messages: Sequence[ChatMessage]) -> str:
    """Return the hexadecimal SHA-256 of the first message, the key of the memorised answer."""
    text = messages[0]["content"] if messages else ""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class AnswerRule:
    """Answers for conversations that match two regular expressions.

    An answer is a template: ``$name`` is replaced by the match of the group ``(?P<name>...)`` in
    one of the two expressions, and ``$$`` by a dollar sign.
    """

    when: re.Pattern[str] | None
    """Searched in the last message of the user; None matches always."""

    when_system: re.Pattern[str] | None
    """Searched in the first message of the conversation; None matches always."""

    answers: tuple[str, ...]
    """Answer templates; the seed and the number of messages select one."""

    recall: bool = False
    """Whether a memorised answer for the conversation has priority over ``answers``."""

    @property
    def group_names(self) -> set[str]:
        """The names that templates may use."""
        patterns = [each for each in (self.when, self.when_system) if each is not None]
        return {name for pattern in patterns for name in pattern.groupindex}

    def match(self, first: str, last: str) -> dict[str, str] | None:
        """Return the matches of the named groups; None if the rule does not match."""
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
    """Rules in order of priority, and the answers if none matches."""

    rules: tuple[AnswerRule, ...]
    """The rules; the first that matches and has an answer applies."""

    otherwise: tuple[str, ...]
    """Answer templates if no rule applies."""

    @classmethod
    def from_file(cls, path: str | Path) -> "AnswerRules":
        """Read rules from a YAML file, or from a JSON file if the name ends in ``.json``.

        Raise ``ParameterError``, which names file and rule, if the file cannot be read, or a rule
        is invalid.
        """
        return _parse(_read_text(Path(path)), Path(path))

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any], source: str = "the rules") -> "AnswerRules":
        """Build rules from ``{"rules": [{"when": ..., "answers": [...]}], "otherwise": [...]}``.

        Raise ``ParameterError``, which names ``source``, if a key is unknown, an expression is
        invalid, or answers are missing or not strings.
        """
        _check_keys(tree, ("rules", "otherwise"), source)
        rules = tree.get("rules", ())
        if isinstance(rules, str) or not isinstance(rules, Sequence):
            raise ParameterError(f"{source}: rules must be a list, got {shown(rules)}.")
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

        The seed and the number of messages select among the answers of a rule. A rule with
        ``recall: true`` returns the one that ``recall`` holds by ``recall_key`` of the
        conversation, unchanged.
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


def _read_text(path: Path) -> str:
    try:
        return regular(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ParameterError(
            f"The answer rules {str(path)!r} cannot be read: {reason}. Name an existing file."
        ) from error


# Each connection to a mock server reads the same rules, once for the check and once to answer.
@lru_cache(maxsize=16)
def _parse(text: str, path: Path) -> AnswerRules:
    """Build the rules that a file has; the path is for messages and for the kind of file."""
    try:
        tree = load_strictly(text) if path.suffix == ".json" else load_yaml(text)
    except (ValueError, yaml.YAMLError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        raise ParameterError(
            f"The answer rules {str(path)!r} are not valid {kind}: {error}"
        ) from error
    if not isinstance(tree, Mapping):
        raise ParameterError(
            f"The answer rules {str(path)!r} must be a mapping with the keys rules and otherwise, "
            f"got {type(tree).__name__}."
        )
    return AnswerRules.from_dict(tree, source=str(path))


def _read_rule(tree: Any, source: str) -> AnswerRule:
    if not isinstance(tree, Mapping):
        raise ParameterError(f"{source} must be a mapping, got {shown(tree)}.")
    _check_keys(tree, RULE_KEYS, source)
    recall = tree.get("recall", False)
    if not isinstance(recall, bool):
        raise ParameterError(f"{source}: recall must be true or false, got {shown(recall)}.")
    # A rule with recall needs no answers of its own.
    only_recalls = recall and "answers" not in tree
    answers = () if only_recalls else _read_answers(tree.get("answers"), "answers", source)
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
        raise ParameterError(f"{source}: {key} must be a regular expression, got {shown(value)}.")
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ParameterError(
            f"{source}: {key} must be a regular expression, got {shown(value)}: {error}."
        ) from error


def _read_answers(value: Any, key: str, source: str) -> tuple[str, ...]:
    answers = [value] if isinstance(value, str) else value
    is_list = isinstance(answers, Sequence) and len(answers) > 0
    if not is_list or not all(isinstance(each, str) for each in answers):
        raise ParameterError(
            f"{source}: {key} must be one or more strings, got {shown(value)}. Put values that "
            "YAML would convert into quotation marks."
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
