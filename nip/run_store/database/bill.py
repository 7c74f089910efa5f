"""Keys of the costs of a run with language models, in its stored state."""

BILL_KEY = "bill"
"""Key of dollars, tokens and shares of dialogues, which ``result.json`` contains."""

BILL_TOTALS = ("cost", "tokens", "failed_share", "invalid_share", "undecided_share")
"""Entries of the bill that ``result.json`` repeats at its top level."""

UNCERTAIN_KEY = "uncertain costs"
"""Key of what may have been charged for answers that were lost.

It is not in ``result.json``, which is the same whether or not requests had to be repeated.
"""

WAITS_KEY = "service waits"
"""Key of the announced waits for services that are not over, by the name of the model."""

USAGE_KEY = "ledger"
"""Key of the tokens by agent and model, from which a resumed run goes on counting."""
