"""Clients of language models, the engine that schedules calls, and fine-tuning.

- ``chat``, ``errors``, ``provider_registry``: the interface of chat models and of their providers;
- ``providers``, ``local_model``: the built-in providers;
- ``engine``: concurrency, rate limits, retries, journal and cache of all calls of a run;
- ``costs``: prices, usage tracking and cost estimates;
- ``fine_tuning``: training datasets, fine-tuning backends and jobs;
- ``server``: a mock API for tests and rehearsals.

This package does not depend on protocols, scenarios or trainers.
"""
