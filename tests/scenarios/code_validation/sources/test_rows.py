"""The ids of datapoints depend only on their texts."""

from nip.scenarios.code_validation.sources.rows import Row, make_dataset


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
