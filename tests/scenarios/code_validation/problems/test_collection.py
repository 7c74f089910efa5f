"""The solutions of every problem agree, and its inputs distinguish wrong programs."""

import ast
import copy
import importlib
import io
import json
import pkgutil
import random
import re
import tokenize
from collections import Counter
from functools import cache

import pytest

from nip.scenarios.code_validation import problems
from nip.scenarios.code_validation.generation.mutations.mutants import make_mutants
from nip.scenarios.code_validation.generation.problem_tests import make_tests
from nip.scenarios.code_validation.generation.sandbox.sandbox import Sandbox
from nip.scenarios.code_validation.generation.verification import verify
from nip.scenarios.code_validation.problems.collection import all_problems
from nip.scenarios.code_validation.problems.problem import ALLOWED_IMPORTS, LARGEST_SIZE, TOPICS

NUM_INPUTS = 100
PROBLEMS = all_problems()

every_problem = pytest.mark.parametrize(
    "problem", PROBLEMS, ids=[problem.name for problem in PROBLEMS]
)


def load(program):
    names = {"__name__": "program"}
    exec(compile(program, "program", "exec"), names)
    return names["solve"]


def run(solve, arguments):
    """Return the output as JSON text, so that True is not taken for 1."""
    output = solve(*copy.deepcopy(arguments))
    text = json.dumps(output, sort_keys=True)
    assert json.loads(text) == output or isinstance(output, tuple)
    return text


@cache
def generated_inputs(name):
    problem = {problem.name: problem for problem in PROBLEMS}[name]
    generator = random.Random(f"inputs of {name}")
    return [
        problem.make_input(generator, index * (LARGEST_SIZE + 1) // NUM_INPUTS)
        for index in range(NUM_INPUTS)
    ]


def end_of_call(text, start):
    """Find where the call that begins at `start` ends: the shortest text that is an expression."""
    for end in range(start, len(text)):
        if text[end] == ")":
            try:
                ast.parse(text[start : end + 1], mode="eval")
            except SyntaxError:
                continue
            return end + 1
    raise AssertionError(f"no call at {text[start:]!r}")


def leading_literal(text):
    """Read the longest literal at the beginning of a text; a comma after it is not part of it."""
    for end in range(len(text), 0, -1):
        try:
            value = ast.literal_eval(text[:end])
        except (SyntaxError, ValueError):
            continue
        if not isinstance(value, tuple):
            return value
    raise AssertionError(f"no value at {text!r}")


def stated_examples(question):
    """Read pairs of arguments and result from sentences like "solve(1) and solve(2) return 3"."""
    text = " ".join(question.partition("Example")[2].split())
    examples, calls = [], []
    for match in re.finditer(r"solve\(", text):
        end = end_of_call(text, match.start())
        call = ast.parse(text[match.start() : end], mode="eval").body
        calls.append(tuple(ast.literal_eval(argument) for argument in call.args))
        verb = re.match(r" returns? ", text[end:])
        if verb:
            value = leading_literal(text[end + verb.end() :])
            examples += [(arguments, value) for arguments in calls]
            calls = []
    assert not calls
    return examples


def test_there_are_at_least_a_hundred_and_twenty_problems_and_fifteen_of_every_topic():
    counts = Counter(problem.topic for problem in PROBLEMS)
    assert len(PROBLEMS) >= 120
    assert set(counts) == set(TOPICS)
    assert min(counts.values()) >= 15


def test_the_module_of_a_problem_begins_with_its_topic_and_lists_it():
    listed = []
    for module in pkgutil.iter_modules(problems.__path__):
        contents = importlib.import_module(f"{problems.__name__}.{module.name}")
        for problem in getattr(contents, "PROBLEMS", ()):
            assert module.name.startswith(problem.topic), problem.name
            listed.append(problem.name)
        written = {
            value.name for value in vars(contents).values() if type(value) is type(PROBLEMS[0])
        }
        assert written <= set(listed), module.name
    assert sorted(listed) == [problem.name for problem in PROBLEMS]
    assert len(set(listed)) == len(listed)


def test_no_question_appears_twice():
    assert len({problem.question for problem in PROBLEMS}) == len(PROBLEMS)


@every_problem
def test_question_is_laid_out_like_the_others(problem):
    paragraphs = problem.question.split("\n\n")
    assert paragraphs[-1].startswith("Example")
    assert "`solve(" in problem.question
    assert not problem.question.endswith("\n")
    assert max(len(line) for line in problem.question.splitlines()) <= 100


@every_problem
def test_programs_are_different_and_of_the_agreed_form(problem):
    assert len(problem.solutions) >= 2
    trees = {ast.dump(ast.parse(solution)) for solution in problem.solutions}
    assert len(trees) == len(problem.solutions)
    for solution in problem.solutions:
        assert 2 <= len(solution.strip().splitlines()) <= 40
        assert max(len(line) for line in solution.splitlines()) <= 100
        tokens = tokenize.generate_tokens(io.StringIO(solution).readline)
        assert all(token.type != tokenize.COMMENT for token in tokens)
        for node in ast.walk(ast.parse(solution)):
            if isinstance(node, ast.Import):
                assert all(name.name in ALLOWED_IMPORTS for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.module in ALLOWED_IMPORTS
            elif isinstance(node, ast.FunctionDef):
                assert ast.get_docstring(node) is None


@every_problem
def test_programs_agree_on_all_inputs(problem):
    programs = [load(solution) for solution in problem.solutions]
    for arguments in (*problem.edge_cases, *generated_inputs(problem.name)):
        outputs = [run(solve, arguments) for solve in programs]
        assert set(outputs) == {outputs[0]}, f"{arguments}: {outputs}"


@every_problem
def test_programs_return_what_the_question_states(problem):
    examples = stated_examples(problem.question)
    assert examples
    for arguments, value in examples:
        for solution in problem.solutions:
            assert json.loads(run(load(solution), arguments)) == value, arguments


@every_problem
def test_inputs_are_kept_by_json_and_drawn_from_the_generator_alone(problem):
    assert len(problem.edge_cases) >= 3
    for arguments in (*problem.edge_cases, *generated_inputs(problem.name)):
        assert isinstance(arguments, tuple)
        assert json.loads(json.dumps(arguments)) == list(arguments)
    for size in (0, 7, LARGEST_SIZE):
        first, second = (problem.make_input(random.Random(size), size) for _ in range(2))
        assert first == second


@every_problem
def test_inputs_lead_to_many_outputs(problem):
    solve = load(problem.solutions[0])
    inputs = generated_inputs(problem.name)
    outputs = Counter(run(solve, arguments) for arguments in inputs)
    if outputs.keys() <= {"true", "false"}:
        assert min(outputs["true"], outputs["false"]) >= NUM_INPUTS / 10
    else:
        assert len(outputs) >= 3
        assert max(outputs.values()) <= NUM_INPUTS * 0.8
    assert len({json.dumps(arguments) for arguments in inputs}) >= NUM_INPUTS / 4


@pytest.mark.slow
@every_problem
def test_inputs_reveal_most_mistakes(problem):
    """Some mutants are no mistakes, so that not all of them can fail."""
    mutants = make_mutants(problem.solutions[0], 24, random.Random(problem.name))
    with Sandbox() as sandbox:
        tests = make_tests(problem, sandbox, 0)
        revealed = [not verify(each.program, tests, sandbox).is_correct for each in mutants]
    assert len(revealed) >= 12
    assert sum(revealed) >= 0.7 * len(revealed)
