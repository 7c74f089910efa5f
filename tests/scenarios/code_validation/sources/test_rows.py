"""The ids of datapoints depend only on their texts."""

import pytest

from nip.errors import DatasetError
from nip.scenarios.code_validation.sources.rows import Row, check_row, make_dataset


def test_ids_depend_on_the_texts_alone() -> None:
    rows = [Row("q", "s", 1, {}), Row("q", "t", 0, {"kind": "x"}), Row("q", "s", 1, {})]
    names = [each.id for each in make_dataset(rows, "here")]
    assert names[2] == f"{names[0]}-2"
    assert [each.id for each in make_dataset([rows[1], rows[0]], "there")] == names[1::-1]
    # Texts are not simply put behind one another.
    assert (
        make_dataset([Row("qs", "t", 1, {})], "")[0].id
        != make_dataset([Row("q", "st", 1, {})], "")[0].id
    )


@pytest.mark.parametrize(
    ("extra", "cluster"),
    [
        ({"problem": "two_sum"}, "two_sum"),
        ({"problem": 17}, "17"),
        ({"problem": "two_sum", "cluster": "site 3"}, "site 3"),
        ({"problem": ""}, "Add."),
        ({"problem": float("nan")}, "Add."),
        ({}, "Add."),
    ],
)
def test_rows_of_one_problem_form_a_cluster(extra: dict, cluster: str) -> None:
    row = check_row({"question": "Add.", "solution": "x", "y": 1, **extra}, "line 1")
    (datapoint,) = make_dataset([row], "here")
    assert datapoint.cluster_id == cluster


def test_a_problem_that_is_no_name_is_refused() -> None:
    row = {"question": "Add.", "solution": "x", "y": 1, "problem": ["a"]}
    with pytest.raises(DatasetError, match="line 1: problem must be a string or a number"):
        check_row(row, "line 1")
