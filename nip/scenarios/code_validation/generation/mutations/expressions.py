"""Mutations of expressions."""

import ast
from collections.abc import Iterator

from nip.scenarios.code_validation.generation.mutations.mutation import (
    expressions,
    integer,
    is_call_of,
    replaced,
    replaced_item,
    shifted,
    written,
)

BOUNDARIES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}

OTHER_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.Gt, ast.NotEq),
    ast.LtE: (ast.GtE, ast.Eq),
    ast.Gt: (ast.Lt, ast.NotEq),
    ast.GtE: (ast.LtE, ast.Eq),
    ast.Eq: (ast.NotEq, ast.GtE, ast.LtE),
    ast.NotEq: (ast.Eq, ast.Lt, ast.Gt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}

OTHER_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.FloorDiv: (ast.Mod, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitOr,),
}

OTHER_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}

REMOVABLE_FUNCTIONS = ("abs", "list", "reversed", "set", "sorted")

REMOVABLE_METHODS = ("copy", "lower", "lstrip", "rstrip", "strip", "upper")

OTHER_METHODS = {
    "append": ("extend",),
    "appendleft": ("append",),
    "endswith": ("startswith",),
    "find": ("rfind",),
    "isalnum": ("isalpha", "isdigit"),
    "isalpha": ("isalnum",),
    "isdigit": ("isalnum",),
    "islower": ("isupper",),
    "isupper": ("islower",),
    "ljust": ("rjust",),
    "lower": ("upper",),
    "lstrip": ("strip", "rstrip"),
    "pop": ("popleft",),
    "popleft": ("pop",),
    "rfind": ("find",),
    "rjust": ("ljust",),
    "rstrip": ("strip", "lstrip"),
    "startswith": ("endswith",),
    "strip": ("lstrip", "rstrip"),
    "upper": ("lower",),
    "bisect_left": ("bisect_right",),
    "bisect_right": ("bisect_left",),
}


def boundary(node: ast.AST) -> Iterator[None]:
    """Include what should be excluded, or the reverse."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            if other := BOUNDARIES.get(type(operator)):
                with replaced_item(node.ops, index, other()):
                    yield


def comparison(node: ast.AST) -> Iterator[None]:
    """Compare in another way."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in OTHER_COMPARISONS[type(operator)]:
                with replaced_item(node.ops, index, other()):
                    yield


def arithmetic(node: ast.AST) -> Iterator[None]:
    """Take another arithmetic operator."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for other in OTHER_OPERATORS.get(type(node.op), ()):
            with replaced(node, op=other()):
                yield


def boolean(node: ast.AST) -> Iterator[None]:
    """Take ``or`` for ``and``, or the reverse."""
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        with replaced(node, op=other):
            yield


def forgotten_condition(node: ast.AST) -> Iterator[None]:
    """Leave out one of several conditions."""
    if isinstance(node, ast.BoolOp):
        for index in range(len(node.values)):
            if len(node.values) > 2:
                with replaced_item(node.values, index):
                    yield
    for replace, value in expressions(node):
        if isinstance(value, ast.BoolOp) and len(value.values) == 2:
            for kept in value.values:
                with replace(kept):
                    yield
    if isinstance(node, ast.comprehension):
        for index in range(len(node.ifs)):
            with replaced_item(node.ifs, index):
                yield


def negation(node: ast.AST) -> Iterator[None]:
    """Leave out a ``not``."""
    for replace, value in expressions(node):
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            with replace(value.operand):
                yield


def sign(node: ast.AST) -> Iterator[None]:
    """Leave out a minus sign."""
    for replace, value in expressions(node):
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
            with replace(value.operand):
                yield


def constant(node: ast.AST) -> Iterator[None]:
    """Take a number that is off by one."""
    is_sum = isinstance(node, ast.BinOp | ast.UnaryOp | ast.AugAssign)
    for replace, value in expressions(node):
        number = integer(value)
        if number is None or isinstance(node, ast.UnaryOp):
            continue
        for changed in (number + 1, number - 1):
            # Adding 0 or dividing by it is no plausible mistake.
            if changed > 0 or not is_sum:
                with replace(written(changed)):
                    yield


def forgotten_shift(node: ast.AST) -> Iterator[None]:
    """Forget to add or subtract 1."""
    for replace, value in expressions(node):
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
            if integer(value.right) == 1:
                with replace(value.left):
                    yield
            elif integer(value.left) == 1 and isinstance(value.op, ast.Add):
                with replace(value.right):
                    yield


def truth_value(node: ast.AST) -> Iterator[None]:
    """Take True for False, or the reverse."""
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        with replaced(node, value=not node.value):
            yield


def range_bound(node: ast.AST) -> Iterator[None]:
    """Begin or end a range one too early or too late."""
    if isinstance(node, ast.Call) and is_call_of(node, ("range",)):
        for index, bound in enumerate(node.args[:2]):
            for by in (1, -1):
                with replaced_item(node.args, index, shifted(bound, by)):
                    yield


def slice_bound(node: ast.AST) -> Iterator[None]:
    """Begin or end a slice one too early or too late, or forget a bound."""
    if isinstance(node, ast.Slice):
        for field in ("lower", "upper"):
            if bound := getattr(node, field):
                for by in (1, -1):
                    with replaced(node, **{field: shifted(bound, by)}):
                        yield
    if isinstance(node, ast.Slice) and node.lower and node.upper:
        for field in ("lower", "upper"):
            with replaced(node, **{field: None}):
                yield


def index(node: ast.AST) -> Iterator[None]:
    """Take the neighbour of an element."""
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice | ast.Constant):
        for by in (1, -1):
            with replaced(node, slice=shifted(node.slice, by)):
                yield


def crossed_indices(node: ast.AST) -> Iterator[None]:
    """Take ``a[j][i]`` for ``a[i][j]``."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Subscript):
        inner = node.value
        first, second = inner.slice, node.slice
        if ast.unparse(first) != ast.unparse(second):
            with replaced(node, slice=first), replaced(inner, slice=second):
                yield


def function(node: ast.AST) -> Iterator[None]:
    """Take the minimum for the maximum, any for all, or the reverse."""
    if isinstance(node, ast.Name) and node.id in OTHER_FUNCTIONS:
        with replaced(node, id=OTHER_FUNCTIONS[node.id]):
            yield


def method(node: ast.AST) -> Iterator[None]:
    """Take a similar method."""
    if isinstance(node, ast.Attribute):
        for other in OTHER_METHODS.get(node.attr, ()):
            with replaced(node, attr=other):
                yield


def forgotten_call(node: ast.AST) -> Iterator[None]:
    """Forget to convert a value: to sort it, to copy it, to make it lowercase."""
    for replace, value in expressions(node):
        if (converted := _converted(value)) is not None:
            with replace(converted):
                yield


def _converted(node: ast.expr) -> ast.expr | None:
    """Return what a call converts, if it is such a call."""
    if not isinstance(node, ast.Call):
        return None
    if is_call_of(node, REMOVABLE_FUNCTIONS) and len(node.args) == 1:
        return node.args[0]
    is_method = isinstance(node.func, ast.Attribute) and not node.args and not node.keywords
    if is_method and isinstance(node.func, ast.Attribute) and node.func.attr in REMOVABLE_METHODS:
        return node.func.value
    return None


def swapped_arguments(node: ast.AST) -> Iterator[None]:
    """Give two arguments of a call in the wrong order."""
    if isinstance(node, ast.Call) and not is_call_of(node, ("min", "max", "gcd", "zip")):
        for first in range(len(node.args) - 1):
            one, other = node.args[first : first + 2]
            if not any(isinstance(argument, ast.Starred) for argument in (one, other)):
                with (
                    replaced_item(node.args, first, other),
                    replaced_item(node.args, first + 1, one),
                ):
                    yield


def swapped_operands(node: ast.AST) -> Iterator[None]:
    """Subtract, divide or join in the wrong order."""
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mult):
        is_sum = isinstance(node.op, ast.Add)
        has_number = any(
            isinstance(side, ast.Constant) and type(side.value) is int
            for side in (node.left, node.right)
        )
        if not (is_sum and has_number):
            with replaced(node, left=node.right, right=node.left):
                yield


def sort_order(node: ast.AST) -> Iterator[None]:
    """Forget the key, or the direction, of a sort or of an extremum."""
    if isinstance(node, ast.Call):
        for place, keyword in enumerate(node.keywords):
            if keyword.arg in ("key", "reverse", "default"):
                with replaced_item(node.keywords, place):
                    yield


def text(node: ast.AST) -> Iterator[None]:
    """Drop the first or last character of a string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 1:
        for value in (node.value[:-1], node.value[1:]):
            with replaced(node, value=value):
                yield
