"""Protection of typed names and texts from being read as numbers.

Hydra reads ``run_id=1_0`` as the number 10, and ``dataset=7e12345`` as infinity. Where a parameter
is text, such a value is put in quotes before Hydra reads it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from hydra.core.override_parser.overrides_parser import create_functions
from hydra.core.override_parser.overrides_visitor import HydraErrorListener, HydraOverrideVisitor
from hydra.errors import HydraException
from hydra.grammar.gen.OverrideLexer import OverrideLexer
from hydra.grammar.gen.OverrideParser import OverrideParser

from nip.command_line.value_types import ValueType, type_of

_LISTING_FUNCTIONS = ("choice", "shuffle", "sort")
"""Functions of Hydra's grammar whose arguments are values of the parameter."""


def quote_typed_texts(arguments: Sequence[str]) -> list[str]:
    """Quote each number and truth value that is given for text.

    The types of parameters that plugins register are known once the plugins are loaded. Arguments
    that cannot be parsed are returned unchanged.
    """
    return [_quote(argument) for argument in arguments]


def _quote(argument: str) -> str:
    try:
        override = _parse(argument)
        value = override.value()
        if value is None:
            return argument
        kind = type_of(override.key().packageOrGroup().getText().split("."))
        places = sorted(_texts(value, kind), reverse=True)
    except (HydraException, ValueError, RecursionError):
        return argument
    quoted = argument
    # From the end, so that the positions of the others remain valid.
    for start, end in places:
        quoted = f"{quoted[:start]}'{quoted[start:end]}'{quoted[end:]}"
    return quoted


def _parse(argument: str) -> Any:
    """Return the syntax tree of an override."""
    listener = HydraErrorListener()
    lexer = OverrideLexer(InputStream(argument))
    parser = OverrideParser(CommonTokenStream(lexer))
    for each in (lexer, parser):
        each.removeErrorListeners()
        each.addErrorListener(listener)
    return parser.override()


def _texts(value: Any, kind: ValueType) -> Iterator[tuple[int, int]]:
    """Yield start and end of each unquoted text in a value that Hydra takes for something else."""
    elements = [value.element()] if value.element() else value.simpleChoiceSweep().element()
    for element in elements:
        yield from _texts_in(element, kind)


def _texts_in(element: Any, kind: ValueType) -> Iterator[tuple[int, int]]:
    if primitive := element.primitive():
        if kind.is_text and isinstance(_visitor.visitPrimitive(primitive), int | float):
            yield _place(primitive)
    elif container := element.listContainer():
        for item in container.element():
            yield from _texts_in(item, kind.item(_component(item)))
    elif container := element.dictContainer():
        for pair in container.dictKeyValuePair():
            yield from _texts_in(pair.element(), kind.below(str(_key(pair))))
    elif (function := element.function()).ID().getText() in _LISTING_FUNCTIONS:
        for argument in _positional(function):
            yield from _texts_in(argument, kind)


_visitor = HydraOverrideVisitor(create_functions())


def _place(primitive: Any) -> tuple[int, int]:
    """Return start and end of a value without the blanks around it."""
    tokens = [child.symbol for child in primitive.getChildren()]
    words = [token for token in tokens if token.type != OverrideLexer.WS]
    return words[0].start, words[-1].stop + 1


def _key(pair: Any) -> Any:
    return _visitor.visitDictKey(pair.dictKey())


def _component(item: Any) -> str | None:
    """Return the ``name`` in a mapping that describes a named component."""
    if container := item.dictContainer():
        for pair in container.dictKeyValuePair():
            if _key(pair) == "name":
                return str(pair.element().getText()).strip("'\"")
    return None


def _positional(function: Any) -> Iterator[Any]:
    """Yield the arguments of a function that have no name."""
    is_named = False
    for child in function.getChildren():
        if isinstance(child, OverrideParser.ArgNameContext):
            is_named = True
        elif isinstance(child, OverrideParser.ElementContext):
            if not is_named:
                yield child
            is_named = False
