"""``RunJournal``: finished messages of language models in unfinished rollouts."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from nip.run_store.database.transactions import Transactions
from nip.utils.exact_json import dump_compactly

SET_ASIDE = "set_aside/"
"""Prefix of the keys of entries that are kept but never read again; their usage is committed."""


class RunJournal:
    """Journal of finished messages by key, such as ``train/3/17/0/prover/0``.

    A resumed run reads finished messages from here instead of requesting them again. An entry
    survives a kill of the process as soon as ``put`` returns. Answers that were paid but are not
    part of a finished rollout, because they were invalid or the rollout failed, stay here.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the entry of a key; None if the key is missing."""
        query = "SELECT entry FROM journal WHERE key = ?"
        with self._transactions.reading() as connection:
            row = connection.execute(query, (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, entry: Mapping[str, Any]) -> None:
        """Store or replace an entry; raise ``TypeError`` for values that JSON does not support."""
        row = (key, dump_compactly(entry))
        self._transactions.execute("INSERT OR REPLACE INTO journal VALUES (?, ?)", row)

    def below(self, prefix: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return all keys below a prefix with their entries; all keys for the empty prefix."""
        top = prefix.rstrip("/")
        # "0" is the character after "/", so this range is that of keys that begin with `top/`.
        condition, bounds = (
            (" WHERE key > ? AND key < ?", (f"{top}/", f"{top}0")) if top else ("", ())
        )
        query = f"SELECT key, entry FROM journal{condition} ORDER BY key"
        with self._transactions.reading() as connection:
            rows = connection.execute(query, bounds).fetchall()
        return [(key, json.loads(entry)) for key, entry in rows]

    def forget(self, prefix: str, keep: Collection[str] = ()) -> None:
        """Delete the key ``prefix`` and all keys below it, except those in ``keep``.

        ``train/3/1`` deletes ``train/3/1/0`` but not ``train/3/17``. The empty prefix deletes all.
        """
        top = prefix.rstrip("/")
        # "0" is the character after "/", so the range is that of keys that begin with `top/`.
        conditions = ["key = ? OR (key > ? AND key < ?)"] if prefix else []
        values = [top, f"{top}/", f"{top}0"] if prefix else []
        if keep:
            conditions.append("key NOT IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(keep)))
        where = " WHERE " + " AND ".join(f"({each})" for each in conditions) if conditions else ""
        self._transactions.execute(f"DELETE FROM journal{where}", values)

    def set_aside(self, prefix: str) -> None:
        """Rename all keys below a prefix, so that nothing reads these entries again.

        Commit their usage in the same transaction. They are kept below ``SET_ASIDE``.
        """
        top = prefix.rstrip("/")
        self._transactions.execute(
            "UPDATE OR REPLACE journal SET key = ? || key WHERE key > ? AND key < ?",
            (SET_ASIDE, f"{top}/", f"{top}0"),
        )

    def __len__(self) -> int:
        """Return the number of entries."""
        with self._transactions.reading() as connection:
            (count,) = connection.execute("SELECT count(*) FROM journal").fetchone()
        return int(count)
