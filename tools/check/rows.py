"""All rows of the table of attacks, in the order of their numbers: importing this module loads every case."""

from . import cases_id_token, cases_request, cases_responses, cases_session  # noqa: F401 - they add the rows
from .catalogue import ROWS

for _id in sorted(ROWS):
    ROWS[_id] = ROWS.pop(_id)

__all__ = ["ROWS"]
