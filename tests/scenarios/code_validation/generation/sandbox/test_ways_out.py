"""Ways out of a program's function, by Python alone, and what they are good for.

Each reaches ``os`` from the real worker, and lifts its audit hook. That succeeds: names and hooks
are no protection. What it reaches then is held by the kernel, except in the mode ``minimal``.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nip.scenarios.code_validation.generation.program_rules import objection
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from tests.scenarios.code_validation.generation.sandbox.layers import LAYERS, open_sandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="candidates are forked")

WALK = """
def outermost(frame):
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_globals
"""

# Each defines `modules()`, which returns all modules that are loaded.
WAYS_OUT = {
    "traceback": WALK
    + """
def modules():
    try:
        1 / 0
    except ZeroDivisionError as error:
        return outermost(error.__traceback__.tb_frame)["os"].sys.modules
""",
    "context_of_an_exception": WALK
    + """
def modules():
    try:
        try:
            1 / 0
        finally:
            [][1]
    except IndexError as error:
        return outermost(error.__context__.__traceback__.tb_frame)["os"].sys.modules
""",
    "generator": WALK
    + """
def climb():
    yield outermost(generator.gi_frame)["os"].sys.modules
generator = climb()
def modules():
    return next(generator)
""",
    "coroutine": WALK
    + """
class Wait:
    def __await__(self):
        yield outermost(coroutine.cr_frame)["os"].sys.modules
async def climb():
    await Wait()
coroutine = climb()
def modules():
    return coroutine.send(None)
""",
    "class_hierarchy": """
def modules():
    for each in getattr(object, "__sub" + "classes__")():
        names = getattr(getattr(each, "__in" + "it__"), "__glo" + "bals__", {})
        if "sys" in names:
            return names["sys"].modules
""",
    "format_string_and_attribute_error": """
def modules():
    try:
        ("{0.__glo" + "bals__[sys].modules.nothing}").format(print)
    except AttributeError as error:
        return error.obj
""",
    "match_pattern": """
def modules():
    match print:
        case object(__globals__=names):
            return names["sys"].modules
""",
    "attrgetter": """
from operator import attrgetter
def modules():
    return attrgetter("__glo" + "bals__")(print)["sys"].modules
""",
    "garbage_collector": """
def modules():
    lift_the_hook()
    gc = print.__globals__["sys"].modules["gc"]
    gc.unfreeze()
    for each in gc.get_objects():
        if type(each) is dict and "posix" in each and "builtins" in each:
            return each
""",
    "builtins_of_a_frame": """
def climb():
    yield generator.gi_frame.f_builtins["__import__"].__globals__["sys"].modules
generator = climb()
def modules():
    return next(generator)
""",
}

USE = """
class All:
    def __contains__(self, _):
        return True
def lift_the_hook():
    print.__globals__["HARMLESS_EVENTS"] = All()
def solve(path):
    loaded = modules()
    lift_the_hook()
    loaded["posix"].unlink(path)
    return "deleted"
"""


@pytest.fixture(scope="module", params=LAYERS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with open_sandbox(request.param, escaped=False) as opened:
        yield opened


@pytest.mark.parametrize("name", WAYS_OUT)
def test_a_way_out_of_the_function_is_no_way_out_of_the_process(
    sandbox: Sandbox, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    layer = request.node.callspec.params["sandbox"]
    canary = tmp_path / "canary"
    canary.touch()
    sandbox.set_inputs([(str(canary),)])
    run = sandbox.run(WAYS_OUT[name] + USE, 10_000)
    # In `minimal` it is gone, so that the way out is a real one.
    assert canary.exists() == (layer != "minimal"), run
    if layer in ("full", "reduced"):
        assert run.stopped == "it is not allowed: a system call"
    if layer == "namespaces":
        assert "FileNotFoundError" in run.outcomes[0].text


PATCH = """
def solve(x):
    names = print.__globals__
    for name in ("plain", "call", "run_program", "program_globals"):
        names[name] = lambda *_: {"outcomes": [["value", "99"]], "steps": 0}
    names["json"].dumps = lambda *_, **__: '{"outcomes": [["value", "99"]], "steps": 0}'
    return x
"""


def test_what_a_program_changes_is_gone_for_the_next(sandbox: Sandbox) -> None:
    sandbox.set_inputs([(5,)])
    assert sandbox.run(PATCH, 100).outcomes[0].value == 99
    assert sandbox.run("def solve(x):\n    return x", 100).outcomes[0].value == 5


def test_rules_on_names_do_not_find_all_ways_out() -> None:
    # So nothing may rely on them.
    solve = "def solve(path):\n    return modules()"
    unseen = {name for name, way_out in WAYS_OUT.items() if objection(way_out + solve) is None}
    assert unseen == {
        "class_hierarchy",
        "format_string_and_attribute_error",
        "match_pattern",
        "attrgetter",
    }
