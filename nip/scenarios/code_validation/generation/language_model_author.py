"""Language model that writes correct and subtly buggy variants of programs."""

import asyncio
import re
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, TypeVar

from nip.errors import ParameterError
from nip.language_models.chat import ModelSpec, Sampling
from nip.language_models.costs.usage_tracker import UsageTracker
from nip.language_models.engine.call import Call, request_digest
from nip.language_models.engine.engine import Engine
from nip.language_models.engine.journal import Journal
from nip.language_models.errors import ErrorPolicy, LanguageModelError
from nip.language_models.provider_registry import ConnectionContext, check_access
from nip.scenarios.code_validation.generation.program_rules import objection
from nip.scenarios.code_validation.generation.rewrites.formatting import format_program
from nip.scenarios.code_validation.problems.problem import Problem

T = TypeVar("T")

TEMPERATURE = 1.0
MAX_TOKENS = 4000

RULES = """\
Write a complete program that defines `solve`, uses nothing but Python's standard library, and has \
no comments. Answer with one block of code and nothing else."""

REWRITING = """\
Here is a programming problem.

{question}

Here is a correct solution.

```python
{program}```

Write another correct solution of your own. {rules}"""

BREAKING = """\
Here is a programming problem.

{question}

Here is a correct solution.

```python
{program}```

Change it so that it looks just as plausible but is wrong for some inputs within the stated \
limits: a subtle mistake of the kind that people make and overlook, such as a forgotten special \
case. For most inputs it should still be right. Do not hint at the mistake in names. {rules}"""

_BLOCK = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)


class LanguageModelAuthor:
    """Requests programs from a model. A context manager, usable from several threads.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    context : ConnectionContext, optional
        Connection settings.
    journal : Journal, optional
        Stores all answers. An author with the same journal does not pay for them again.
    usage : UsageTracker, optional
        Counts tokens and costs, those of answers in the journal included, and holds the budget.

    Raises
    ------
    NipError
        If the model is certainly not accessible, because of a missing key for example.
    """

    def __init__(
        self,
        spec: ModelSpec,
        context: ConnectionContext | None = None,
        *,
        journal: Journal | None = None,
        usage: UsageTracker | None = None,
    ) -> None:
        check_access(spec, context)
        self.spec = spec
        self.usage = usage or UsageTracker()
        self._engine = Engine(context, journal=journal, usage_tracker=self.usage)
        self._engine.recount("")
        self._is_stopped = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def rewrite(self, problem: Problem, program: str, seed: int) -> str | None:
        """Request another correct program, not verified; return None if the answer is unusable.

        Raises
        ------
        LanguageModelError
            If further requests would fail as well, because of a wrong key for example.
        """
        return self._wait(self._write(REWRITING, problem, program, seed))

    def break_program(self, problem: Problem, program: str, seeds: Sequence[int]) -> list[str]:
        """Request several buggy variants of a program; return the usable answers, not verified."""
        written = self._wait(self._write_all(BREAKING, problem, program, seeds))
        found = dict.fromkeys(text for text in written if text is not None and text != program)
        return list(found)

    def stop(self) -> None:
        """Cancel all pending requests and refuse new ones."""
        self._is_stopped = True
        self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def __enter__(self) -> "LanguageModelAuthor":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._engine.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._is_stopped:
            work.close()
            raise CancelledError
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _write_all(
        self, template: str, problem: Problem, program: str, seeds: Sequence[int]
    ) -> list[str | None]:
        writing = (self._write(template, problem, program, seed) for seed in seeds)
        return list(await asyncio.gather(*writing))

    async def _write(self, template: str, problem: Problem, program: str, seed: int) -> str | None:
        content = template.format(question=problem.question, program=program, rules=RULES)
        sampling = Sampling(temperature=TEMPERATURE, max_tokens=MAX_TOKENS, seed=seed)
        messages = [{"role": "user", "content": content}]
        call = Call(self.spec, messages, sampling, agent="author")  # type: ignore[arg-type]
        call = replace(call, key=f"author/{request_digest(call)}")
        try:
            completion = await self._engine.complete(call)
        except LanguageModelError as error:
            if error.policy is ErrorPolicy.END_RUN:
                raise
            return None
        return None if completion.finish_reason != "stop" else program_in(completion.text)


def program_in(answer: str) -> str | None:
    """Extract the last block of code of an answer, or else the whole answer, in the normal form.

    Return None if it breaks a rule for the programs of a dataset.
    """
    found = _BLOCK.findall(answer)
    program = found[-1] if found else answer
    formatted = None if objection(program) else format_program(program)
    # The normal form may be longer.
    return None if formatted is None or objection(formatted) else formatted


def parse_model(text: str, base_url: str | None = None) -> ModelSpec:
    """Parse ``provider:model``.

    Raises
    ------
    ParameterError
        If the provider, the colon or the model is missing.
    """
    provider, _, model_name = text.partition(":")
    if not provider or not model_name:
        raise ParameterError(
            f"--language-model must be provider:model, such as openai:gpt-4o-mini, got {text!r}."
        )
    return ModelSpec(provider=provider, model_name=model_name, base_url=base_url)
