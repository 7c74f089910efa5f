"""Every finished message, from the moment it is paid for until its rollout is stored."""

import json
from collections.abc import Mapping
from typing import Any

from nip.run_store.database.transactions import Transactions
from nip.utils.exact_json import dump_compactly


class RunJournal:
    """Entries by key, for example ``train/3/17/0/prover/0``; a run that goes on finds them here.

    ``put`` returns when the entry outlives the killing of the process.

    Parameters
    ----------
    transactions : Transactions
        Those of the database of the run.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the entry of a key; None if there is none."""
        query = "SELECT entry FROM journal WHERE key = ?"
        with self._transactions.reading() as connection:
            row = connection.execute(query, (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, entry: Mapping[str, Any]) -> None:
        """Store an entry; one that is there is replaced.

        Raises
        ------
        TypeError
            If the entry holds something that JSON has no word for.
        """
        row = (key, dump_compactly(entry))
        with self._transactions() as connection:
            connection.execute("INSERT OR REPLACE INTO journal VALUES (?, ?)", row)

    def forget(self, prefix: str) -> None:
        """Drop the key ``prefix`` and all keys below it: ``train/3/1`` takes ``train/3/1/0`` along.

        ``train/3/17`` stays. The empty prefix stands above all keys.
        """
        with self._transactions() as connection:
            if not prefix:
                connection.execute("DELETE FROM journal")
                return
            top = prefix.rstrip("/")
            # "0" follows "/" among the characters, so this range holds what begins with `top/`.
            condition = "key = ? OR (key > ? AND key < ?)"
            connection.execute(
                f"DELETE FROM journal WHERE {condition}", (top, f"{top}/", f"{top}0")
            )

    def __len__(self) -> int:
        """Count the entries."""
        with self._transactions.reading() as connection:
            (count,) = connection.execute("SELECT count(*) FROM journal").fetchone()
        return int(count)
