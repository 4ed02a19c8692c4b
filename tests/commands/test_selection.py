"""The choice of rows and variants, as `learn.py check --only` takes it."""

import pytest

from tools.check.rows import ROWS
from tools.check.selection import all_rows, is_selected, parse_selection


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("RP-04", {"RP-04": None}),
        ("rp-4, RP-68 a b", {"RP-04": None, "RP-68": {"a", "b"}}),
        ("RP-68 a,RP-04", {"RP-04": None, "RP-68": {"a"}}),
        ("RP-04 RP-05", {"RP-04": None, "RP-05": None}),
        ("RP-68 A, b\n RP-05;", {"RP-05": None, "RP-68": {"a", "b"}}),
        ("RP-68 a,RP-68 b", {"RP-68": {"a", "b"}}),
        ("RP-68 a,RP-68", {"RP-68": None}),
        ("RP-68,RP-68 a", {"RP-68": None}),
        ("RP-34 a token, 301", {"RP-34": {"a token, 301"}}),
        ("RP-08 b two hundred,RP-09", {"RP-08": {"b two hundred"}, "RP-09": None}),
    ],
)
def test_reads_rows_and_variants(text, selection):
    """Rows are separated by commas or spaces; letters, or one whole name, choose variants."""
    assert parse_selection(text) == selection
    assert list(parse_selection(text)) == sorted(selection)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' is no row"),
        ("state", "'state' is no row"),
        ("RP-04x", "'RP-04x' is no row"),
        ("RP-99", "There is no row RP-99: the rows are RP-01 to RP-70."),
        ("RP-00", "There is no row RP-00"),
        ("RP-04 z", "RP-04 has no variant z: its variants are a, b, c."),
        ("RP-04 a z", "RP-04 has no variant z"),
        ("RP-05 a", "RP-05 has no variants: write RP-05 alone."),
    ],
)
def test_says_what_is_wrong_with_a_selection(text, sentence):
    """A selection that cannot be read is an error with a sentence for the user."""
    with pytest.raises(ValueError) as error:
        parse_selection(text)

    assert str(error.value).startswith(sentence)


def test_selects_the_variants_of_a_row():
    """A letter selects all variants that begin with it, a name one variant, and a row alone all of its variants."""

    def chosen(text):
        return {row.id: [v.name for v in row.variants if is_selected(parse_selection(text), row.id, v)]
                for row in ROWS.values()}  # fmt: skip

    assert chosen("RP-24 b")["RP-24"] == ["b with one more slash", "b in capitals", "b with another port"]
    assert chosen("RP-24 b in capitals")["RP-24"] == ["b in capitals"]
    assert chosen("RP-24 b")["RP-04"] == []
    assert chosen(",".join(ROWS)) == {row.id: [variant.name for variant in row.variants] for row in ROWS.values()}
    assert all_rows() == parse_selection(",".join(ROWS))
