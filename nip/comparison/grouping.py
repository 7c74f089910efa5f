"""Groups of runs that differ in nothing but their seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from nip.comparison.runs import RunRecord
from nip.errors import ParameterError, UnknownNameError, did_you_mean, shown
from nip.parameters.tree.difference import ABSENT, Difference, difference

SEED = "seed"
_CLASS = "._type"
_MAX_LABEL = 60
_SINGLE_GROUP = "runs"


@dataclass(frozen=True)
class RunGroup:
    """Runs of one experiment with different seeds."""

    name: str
    """Name of the group, which says in which parameters it differs from the others."""

    strata: tuple[tuple[RunRecord, ...], ...]
    """Its runs, by stratum."""

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """All runs of the group."""
        return tuple(run for stratum in self.strata for run in stratum)


def group_runs(
    records: Sequence[RunRecord], ignore: Sequence[str] = (), across: Sequence[str] = ()
) -> tuple[RunGroup, ...]:
    """Group runs by their parameters.

    Parameters
    ----------
    records : sequence of RunRecord
        The runs.
    ignore : sequence of str
        Dotted names of parameters, or groups of them, in which the runs of one group may differ,
        beside their seeds.
    across : sequence of str
        Parameters whose values are the strata of a group, such as ``dataset``.

    Raises
    ------
    ParameterError
        If a name is not a parameter of the runs, or two runs of a group are equal.
    UnknownNameError
        If a name in ``ignore`` or ``across`` is not a parameter of the runs.
    """
    for name in (*ignore, *across):
        _check_known(name, records)
    if SEED in across:
        raise ParameterError("'seed' cannot be a stratum: seeds are the units. Leave it out.")
    cells = _partition(records, [SEED, *ignore])
    for cell in cells:
        _check_distinct(cell)
    if not across:
        return _named([(cell,) for cell in cells], [SEED, *ignore])
    wholes = _partition([cell[0] for cell in cells], [SEED, *ignore, *across])
    by_first = {cell[0].folder: tuple(cell) for cell in cells}
    order = {record.folder: _key_of(record, across) for record in (c[0] for c in cells)}
    strata = [
        tuple(by_first[each.folder] for each in sorted(whole, key=lambda r: order[r.folder]))
        for whole in wholes
    ]
    _check_same_strata(strata, across)
    return _named(strata, [SEED, *ignore, *across])


def group_by_hand(named: Mapping[str, Sequence[RunRecord]]) -> tuple[RunGroup, ...]:
    """Return groups of given names and runs, whatever their parameters."""
    for name, records in named.items():
        if not records:
            raise ParameterError(f"The group {name!r} has no runs. Give at least two after it.")
    return tuple(RunGroup(name, (tuple(records),)) for name, records in named.items())


def differing_parameters(
    groups: Sequence[RunGroup], without: Sequence[str] = (SEED,)
) -> dict[str, tuple[Any, ...]]:
    """Return the parameters in which groups differ: by dotted name, the value of each group.

    The values are those of the first run of each group. A parameter that a group does not have is
    ``ABSENT``.
    """
    first, *others = [group.runs[0] for group in groups]
    found: dict[str, dict[int, Difference]] = {}
    for index, other in enumerate(others, start=1):
        for each in differences(first, other, without):
            found.setdefault(each.name, {})[index] = each
    table = {}
    for name, by_index in found.items():
        old = next(iter(by_index.values())).old
        table[name] = tuple(
            by_index[index].new if index in by_index else old for index in range(len(groups))
        )
    return dict(sorted(table.items(), key=lambda item: item[0].count(".")))


def differences(first: RunRecord, second: RunRecord, without: Sequence[str]) -> list[Difference]:
    """List the parameters in which two runs differ, except some names and what is below them.

    The classes of groups, which follow from other parameters, are left out.
    """
    return [
        each
        for each in difference(first.parameters, second.parameters)
        if not each.name.endswith(_CLASS)
        and not any(each.name == name or each.name.startswith(f"{name}.") for name in without)
    ]


def _partition(records: Iterable[RunRecord], without: Sequence[str]) -> list[list[RunRecord]]:
    """Put runs without a difference together, in the order of their first runs."""
    cells: list[list[RunRecord]] = []
    for record in records:
        for cell in cells:
            if not differences(cell[0], record, without):
                cell.append(record)
                break
        else:
            cells.append([record])
    return cells


def _check_distinct(cell: Sequence[RunRecord]) -> None:
    """Raise if two runs have all parameters in common: they are no independent repetitions."""
    for index, run in enumerate(cell):
        for other in cell[:index]:
            if not differences(other, run, ()):
                raise ParameterError(
                    f"Runs {other.run_id!r} and {run.run_id!r} have the same parameters and the "
                    f"same seed ({run.seed}), so they are one run that was repeated, and would "
                    "count as two. Leave one out, or train it with another seed."
                )


def _check_same_strata(
    strata: Sequence[tuple[tuple[RunRecord, ...], ...]], across: Sequence[str]
) -> None:
    keys = [[_key_of(stratum[0], across) for stratum in group] for group in strata]
    for group, own in zip(strata, keys, strict=True):
        if own != keys[0]:
            raise ParameterError(
                f"The groups have different values of {', '.join(across)}: run "
                f"{strata[0][0][0].run_id!r} is of a group with {'; '.join(keys[0])}, run "
                f"{group[0][0].run_id!r} of one with {'; '.join(own)}. Leave out the runs of "
                "values that not all groups have, or leave out --across."
            )


def _key_of(record: RunRecord, names: Sequence[str]) -> str:
    return ", ".join(f"{name}={_value_at(record.parameters, name)!r}" for name in names)


def _value_at(tree: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        tree = tree.get(part, ABSENT) if isinstance(tree, Mapping) else ABSENT
    return tree


def _check_known(name: str, records: Sequence[RunRecord]) -> None:
    known = {each for record in records for each in _dotted_names(record.parameters)}
    if name not in known:
        advice = did_you_mean(name, known) or "See hyper_params.yaml in the folder of a run."
        raise UnknownNameError(f"The runs have no parameter {shown(name)}. {advice}")


def _dotted_names(tree: Any, path: str = "") -> Iterable[str]:
    if path:
        yield path
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if not str(name).startswith("_"):
                yield from _dotted_names(value, f"{path}.{name}" if path else str(name))


def _named(
    strata: Sequence[tuple[Sequence[RunRecord], ...]], without: Sequence[str]
) -> tuple[RunGroup, ...]:
    """Name groups by as few of their differing parameters as tell them apart."""
    groups = [RunGroup("", tuple(tuple(each) for each in own)) for own in strata]
    if len(groups) == 1:
        return (RunGroup(_common_stem(groups[0].runs), groups[0].strata),)
    table = differing_parameters(groups, without)
    chosen = _telling_apart({name: tuple(map(repr, row)) for name, row in table.items()})
    labels = [_label({name: table[name] for name in chosen}, i) for i in range(len(groups))]
    if any(len(label) > _MAX_LABEL for label in labels) or len(set(labels)) < len(labels):
        stems = [_common_stem(group.runs) for group in groups]
        labels = stems if len(set(stems)) == len(stems) else [g.runs[0].run_id for g in groups]
    return tuple(RunGroup(label, group.strata) for label, group in zip(labels, groups, strict=True))


def _label(chosen: Mapping[str, tuple[Any, ...]], index: int) -> str:
    """Name a group by its values of some parameters; names in text need no name before them."""
    if all(isinstance(value, str) and value for row in chosen.values() for value in row):
        return ", ".join(row[index] for row in chosen.values())
    return ", ".join(f"{name}={_shown(row[index])}" for name, row in chosen.items())


def _telling_apart(table: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Choose columns greedily until all rows differ; those near the root of the tree first."""
    chosen: list[str] = []
    num_rows = len(next(iter(table.values())))
    names = sorted(table, key=lambda name: name.count("."))

    def num_distinct(columns: Sequence[str]) -> int:
        return len({tuple(table[column][row] for column in columns) for row in range(num_rows)})

    while num_distinct(chosen) < num_rows:
        chosen.append(max(names, key=lambda name: num_distinct([*chosen, name])))
    return chosen


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else repr(value)


def _common_stem(runs: Sequence[RunRecord]) -> str:
    first, last = min(run.run_id for run in runs), max(run.run_id for run in runs)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    stem = "".join(sign for sign, _ in same).rstrip("-_.0123456789")
    return stem.removesuffix("seed").rstrip("-_.") or _SINGLE_GROUP
