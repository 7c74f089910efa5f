"""Talking to language models: one interface, one engine for all calls of a run.

Nothing here knows of protocols, scenarios or trainers. ``engine.Engine`` takes calls and gives
answers; ``providers`` holds the kinds of models it can ask, ``fine_tuning`` what improves them,
``server`` an endpoint of our own to rehearse against.
"""
