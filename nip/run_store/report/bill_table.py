"""Table of what a run with language models cost."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.table import Table

from nip.run_store.database import STATE_PREFIX, RunDatabase
from nip.run_store.database.bill import UNCERTAIN_KEY

DIALOGUE_SHARES = ("failed_share", "invalid_share", "undecided_share")
"""Metrics of how dialogues ended other than with a verdict."""


def read_uncertain(folder: Path) -> dict[str, Any]:
    """Read what may have been charged for answers that were lost; empty without any."""
    with closing(RunDatabase(folder / "run.db", read_only=True)) as database:
        stored = database.get_state(f"{STATE_PREFIX}{UNCERTAIN_KEY}", "null")
    return json.loads(stored) or {}


def bill_table(bill: dict[str, Any], uncertain: dict[str, Any]) -> Table:
    """Return what the whole run cost."""
    table = Table(title="Whole run", title_justify="left", title_style="bold", show_header=False)
    for name, value in _bill_rows(bill, uncertain):
        table.add_row(name, value)
    return table


def _bill_rows(bill: dict[str, Any], uncertain: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "cost" not in bill:
        return
    parts = f"${bill['sampling_cost']:,.4f} sampling, ${bill['training_cost']:,.4f} fine-tuning"
    yield "cost", f"${bill['cost']:,.4f} ({parts})"
    if "real_sampling_cost" in bill:
        yield "at the real models", f"${bill['real_sampling_cost']:,.4f} for the same calls"
    if bill["models_without_price"]:
        yield "not counted", f"{', '.join(bill['models_without_price'])}: no price is known"
    if bill["num_estimated"]:
        yield "estimated", f"tokens of {bill['num_estimated']:,} answers or jobs without a report"
    if uncertain.get("cost"):
        number, cost = uncertain["num_lost_answers"], uncertain["cost"]
        yield "uncertain", f"up to ${cost:,.4f} more for {number:,} answers that were lost"
    yield (
        "tokens",
        f"{bill['prompt_tokens']:,} read, {bill['completion_tokens']:,} written, "
        f"{bill['trained_tokens']:,} trained",
    )
    if "num_dialogues" in bill:
        shares = (f"{bill[name]:.1%} {name.removesuffix('_share')}" for name in DIALOGUE_SHARES)
        yield "dialogues", f"{bill['num_dialogues']:,}: {', '.join(shares)}"
