"""Clients of the provider for the tests of this folder: `session`, `new_client`, `simplelogin`."""

from functools import partial

import pytest
import requests
from support.dialect_client import SIMPLELOGIN, DialectClient


@pytest.fixture
def session():
    """A browser with no cookies yet."""
    with requests.Session() as session:
        yield session


@pytest.fixture
def new_client(session, provider):
    """A function that returns the practice client of one dialect; all of a test share one browser."""
    return partial(DialectClient, session, provider)


@pytest.fixture
def simplelogin(new_client):
    """The practice client of step3_login at SimpleLogin."""
    return new_client(SIMPLELOGIN)
