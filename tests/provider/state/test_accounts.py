"""Accounts: people can be added while the provider runs, up to a maximum."""

import pytest
import requests

from fake_provider.state.accounts import MAX_ADDED_PEOPLE, MAX_TEXT_LENGTH, Accounts
from fake_provider.state.people import PEOPLE


def test_adds_a_person_until_the_next_reset(provider):
    """A person who was added can be chosen, and a reset removes them."""
    before = [person["key"] for person in provider.people]
    added = provider.add_person("Rózsa Péter", email="rozsa@example.com")

    assert [person["key"] for person in provider.people] == [*before, added["key"]]
    provider.reset()
    assert [person["key"] for person in provider.people] == before


def test_gives_each_person_a_number_of_their_own():
    """Two people of one name have two accounts, also after the first is removed."""
    accounts = Accounts()
    first = accounts.add("Ada Lovelace")
    accounts.clear()
    second = accounts.add("Ada Lovelace")

    assert accounts.find(first.key) is None
    assert first.number != second.number not in {person.number for person in PEOPLE}


def test_removes_the_oldest_beyond_the_maximum():
    """Above the maximum the oldest person who was added is removed, and none of people.py."""
    accounts = Accounts()
    people = [accounts.add(f"Person {number}") for number in range(MAX_ADDED_PEOPLE + 1)]

    assert len(accounts.all()) == len(PEOPLE) + MAX_ADDED_PEOPLE
    assert accounts.find(people[0].key) is None
    assert accounts.find(people[-1].key) == people[-1]


def test_sign_ups_remove_no_added_person():
    """A person whom the instructor has added stays, however many sign up."""
    accounts = Accounts()
    added = accounts.add("For All")
    first, *_ = [accounts.add("Learner", signed_up=True) for _ in range(MAX_ADDED_PEOPLE)]

    assert accounts.find(added.key)
    assert not accounts.find(first.key)


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
    """Wrong data of a person are refused with a sentence, and no person is added."""
    response = requests.post(f"{provider.url}/_people", json=person, timeout=5)

    assert response.status_code == 400
    assert sentence in response.json()["error"]
    assert len(provider.people) == len(PEOPLE)


def test_accepts_no_person_from_a_form(provider):
    """CSRF: a page of another site can send a form, but no JSON."""
    response = requests.post(f"{provider.url}/_people", data={"name": "Ada"}, timeout=5)

    assert response.status_code == 415
    assert len(provider.people) == len(PEOPLE)
