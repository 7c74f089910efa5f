"""``RolloutTable``: the finished rollouts of a run."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from nip.run_store.database.journal import RunJournal
from nip.run_store.database.transactions import Transactions
from nip.utils.exact_json import dump_compactly

RolloutPhase = Literal["train", "test", "judged"]
"""``judged``: the dialogues of a test, with the verdicts of the first verifier."""


class RolloutTable:
    """Records of rollouts by phase, iteration and position; iterations are counted from 1.

    Parameters
    ----------
    transactions : Transactions
        Transactions of the database.
    journal : RunJournal
        Journal of the messages of unfinished rollouts.
    """

    def __init__(self, transactions: Transactions, journal: RunJournal) -> None:
        self._transactions = transactions
        self._journal = journal

    def add(
        self,
        phase: RolloutPhase,
        iteration: int,
        position: int,
        record: Mapping[str, Any],
        forget: str | None = None,
        keep: Collection[str] = (),
    ) -> None:
        """Store or replace a rollout and delete its messages from the journal, atomically.

        ``forget`` is the key prefix of these messages; None: delete none. ``keep`` has the keys of
        those that stay, because the rollout does not contain them. If the record has values
        that JSON does not support, ``TypeError`` is raised and nothing is stored.
        """
        row = (phase, iteration, position, dump_compactly(record))
        with self._transactions() as connection:
            connection.execute("INSERT OR REPLACE INTO rollouts VALUES (?, ?, ?, ?)", row)
            if forget is not None:
                self._journal.forget(forget, keep)

    def positions(self, phase: RolloutPhase, iteration: int) -> list[int]:
        """Return the stored positions in ascending order."""
        query = "SELECT position FROM rollouts WHERE phase = ? AND iteration = ? ORDER BY position"
        with self._transactions.reading() as connection:
            return [row[0] for row in connection.execute(query, (phase, iteration))]

    def load(self, phase: RolloutPhase, iteration: int) -> Iterator[dict[str, Any]]:
        """Yield the records of an iteration, ordered by position.

        Only one record is in memory at a time. Rollouts added during the iteration are not yielded.
        """
        query = "SELECT record FROM rollouts WHERE phase = ? AND iteration = ? AND position = ?"
        for position in self.positions(phase, iteration):
            with self._transactions.reading() as connection:
                row = connection.execute(query, (phase, iteration, position)).fetchone()
            if row is not None:
                yield json.loads(row[0])

    def iterations(self, phase: RolloutPhase) -> list[int]:
        """Return the iterations with rollouts of the phase, in ascending order."""
        query = "SELECT DISTINCT iteration FROM rollouts WHERE phase = ? ORDER BY iteration"
        with self._transactions.reading() as connection:
            return [row[0] for row in connection.execute(query, (phase,))]

    def delete(self, phase: RolloutPhase, iteration: int, position: int | None = None) -> None:
        """Delete the rollout at a position of an iteration; None: all of them."""
        self._transactions.execute(
            "DELETE FROM rollouts WHERE phase = ? AND iteration = ? "
            "AND position = IFNULL(?, position)",
            (phase, iteration, position),
        )
