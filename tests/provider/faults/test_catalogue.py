"""The catalogue of faults: each row is a valid fault at each dialect that supports it, and is found again."""

import pytest

from fake_provider.dialects.table import DIALECTS, endpoint_names
from fake_provider.faults.catalogue import CATALOGUE, catalogued_faults, find_in_catalogue, make_fault
from fake_provider.faults.fault import Fault

ROWS = [(dialect, row) for dialect in DIALECTS for row in catalogued_faults(dialect)]


@pytest.mark.parametrize(("dialect", "row"), ROWS, ids=[f"{dialect.name}-{row.key}" for dialect, row in ROWS])
def test_each_row_is_a_valid_fault(dialect, row):
    """The JSON of the fault is accepted, and is recognised as this row; another status makes it a fault of its own."""
    members = make_fault(row, dialect, "app").as_json()

    assert Fault.from_json(members, endpoint_names()).client_id == "app"
    assert find_in_catalogue(members, dialect) is row
    assert find_in_catalogue({**members, "status": 418}, dialect) is None


def test_each_row_is_used():
    """No row has a key of another one, or needs something that no dialect supports."""
    keys = [row.key for row in CATALOGUE]

    assert len({*keys}) == len(keys) == len({row.key for _, row in ROWS})
