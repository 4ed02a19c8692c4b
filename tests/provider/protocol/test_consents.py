"""The consents: whose they are, what they cover, and when they end, with a clock that the test sets."""

import pytest

from fake_provider.protocol.consents import ONE_YEAR, Consents


class Clock:
    """A clock that stands still until a test sets it."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """The time, in seconds."""
    return Clock()


@pytest.fixture
def consents(clock):
    """The consents, with one of Ada: an app may know her e-mail address."""
    consents = Consents(clock)
    consents.remember("google", "ada", "app", ("email",))
    return consents


def test_a_new_consent_adds_to_the_older_one(consents):
    """A person who has allowed one scope, and later another, has allowed both, and is asked for neither again."""
    consents.remember("google", "ada", "app", ("profile",))

    assert consents.cover("google", "ada", "app", ("email", "profile")), "the older consent is lost"
    assert not consents.cover("google", "ada", "app", ("email", "calendar"))


@pytest.mark.parametrize("other", [("okta", "ada", "app"), ("google", "grace", "app"), ("google", "ada", "other")])
def test_a_consent_is_of_one_person_and_one_app(consents, other):
    """Another dialect, person or app has no part in a consent, also when it is forgotten."""
    consents.remember(*other, ("email",))
    consents.forget(*other)

    assert not consents.cover(*other, ()), "it is still there"
    assert consents.cover("google", "ada", "app", ("email",)), "another consent was forgotten"


def test_a_consent_expires_after_a_year(consents, clock):
    """After a year without a login the person is asked again; a login begins a new year."""
    clock.now = ONE_YEAR - 1
    before = consents.cover("google", "ada", "app", ("email",))
    consents.remember("google", "ada", "app", ())
    clock.now += ONE_YEAR - 1
    renewed = consents.cover("google", "ada", "app", ("email",))
    clock.now += 2

    assert (before, renewed, consents.cover("google", "ada", "app", ())) == (True, True, False)


def test_a_reset_removes_all_consents(consents):
    """After `clear` every person is asked again."""
    consents.clear()

    assert not consents.cover("google", "ada", "app", ())
