"""People can be added while the provider runs, and only as many as it can hold."""

import pytest
import requests

from fake_provider.state.accounts import MAX_ADDED_PEOPLE, MAX_TEXT_LENGTH, Accounts
from fake_provider.state.people import PEOPLE


def test_adds_somebody_until_the_next_reset(provider):
    """A person who was added can be chosen, and is gone after a reset."""
    before = [person["key"] for person in provider.people]
    added = provider.add_person("Rózsa Péter", email="rozsa@example.com")

    assert [person["key"] for person in provider.people] == [*before, added["key"]]
    provider.reset()
    assert [person["key"] for person in provider.people] == before


def test_gives_each_person_a_number_of_their_own():
    """Two people of one name have two accounts, also after the first is forgotten."""
    cast = Accounts()
    first = cast.add("Ada Lovelace")
    cast.clear()
    second = cast.add("Ada Lovelace")

    assert cast.find(first.key) is None
    assert first.number != second.number not in {person.number for person in PEOPLE}


def test_forgets_the_oldest_beyond_its_bound():
    """However many are added, the cast stays small, and those of the table stay."""
    cast = Accounts()
    people = [cast.add(f"Person {number}") for number in range(MAX_ADDED_PEOPLE + 1)]

    assert len(cast.all()) == len(PEOPLE) + MAX_ADDED_PEOPLE
    assert cast.find(people[0].key) is None
    assert cast.find(people[-1].key) == people[-1]


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        ([], "A person is a JSON object"),
        ({"name": 5}, "A person is a JSON object"),
        ({"name": " "}, "name has to have"),
        ({"name": "N" * (MAX_TEXT_LENGTH + 1)}, "may have"),
        ({"name": "\ud800"}, "have to be Unicode"),
        ({"name": "Ada", "number": 1}, "number is not known here"),
        ({"name": "Ada", "email_verified": "no"}, "email_verified is 'no'"),
    ],
    ids=str,
)
def test_says_what_is_wrong_with_a_person(provider, person, sentence):
    """A person that makes no sense is refused with a sentence, and nobody is added."""
    reply = requests.post(f"{provider.url}/_people", json=person, timeout=5)

    assert reply.status_code == 400
    assert sentence in reply.json()["error"]
    assert len(provider.people) == len(PEOPLE)


def test_takes_no_person_from_a_form(provider):
    """A page of another site can send a form, and no JSON."""
    reply = requests.post(f"{provider.url}/_people", data={"name": "Ada"}, timeout=5)

    assert reply.status_code == 415
    assert len(provider.people) == len(PEOPLE)
