"""Parsing source code in several threads."""

import ast
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from nip.utils.syntax_trees import parse

SOURCE = "".join(
    f"def f{number}(x):\n    return [x, [x, (x + {number}) * 2]]\n" for number in range(60)
)


@pytest.fixture
def hasty_threads():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_that_parse_at_the_same_time_do_not_disturb_each_other(hasty_threads):
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(parse, [SOURCE] * 64))
    assert {ast.dump(tree) for tree in trees} == {ast.dump(ast.parse(SOURCE))}
