"""The pinned logins: how many there are at most, and which one is removed first."""

from fake_provider.trace.logins import Login
from fake_provider.trace.pinned_logins import PinnedLogins


def test_the_oldest_pinned_login_goes_first():
    """There is a bound, and the removed logins are counted."""
    pinned = PinnedLogins(max_logins=2)
    for number in (1, 2, 3):
        pinned.pin(Login(number, "google", "app"))

    assert [login.number for login in pinned.all()] == [2, 3]
    assert pinned.forgotten == 1 and pinned.find(1) is None
