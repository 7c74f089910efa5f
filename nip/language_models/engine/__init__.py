"""The engine, which schedules all calls of language models in a run.

``Engine`` is in ``engine``; each other module holds one of its concerns: journal, response cache,
concurrency, rate limits, retries.
"""

from nip.language_models.engine.engine import Engine

__all__ = ["Engine"]
