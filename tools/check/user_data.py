"""What the provider says about a user, in profiles and in the claims of ID tokens, and how an attack changes it.

An app reads one of them or both, and it must not matter to an attack which: a change is made to all that is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .attack_steps import send_attack
from .browser import Browser, Page
from .checked_app import CheckedApp, NotApplicable

# Claims of an ID token that say nothing about the user; `sub` is about the user, so it is not here.
PROTOCOL_CLAIMS = (
    "iss", "aud", "exp", "iat", "nbf", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sid",
    "jti", "idp", "ver",
)  # fmt: skip
USERNAMES = ("login", "username", "preferred_username", "nickname")
Change = Callable[[Any], Any]  # takes a profile, or the claims about the user, and returns the changed one


def require_profile(checked: CheckedApp) -> None:
    """Raise NotApplicable for an app that reads no profile."""
    if not checked.profile_endpoints:
        raise NotApplicable("it requests no profile: it reads the ID token")
    if not checked.has_userinfo:
        raise NotApplicable("it requests a profile, and does not read it")


def claims_about_user(checked: CheckedApp) -> dict[str, Any]:
    """Return the claims about Grace in the ID token, `sub` among them; empty without an ID token."""
    if "id_token" not in checked.token_response:
        return {}
    return {name: value for name, value in checked.id_token_claims.items() if name not in PROTOCOL_CLAIMS}


def data_about_user(checked: CheckedApp) -> dict[str, Any]:
    """Return Grace's profile, or the claims about her where the app requests no profile."""
    return checked.profile if checked.profile_endpoints else claims_about_user(checked)


def change_profile(checked: CheckedApp, change: Change) -> None:
    """Change the next profile."""
    checked.inject_fault("profile", body=json.dumps(change(checked.profile)))


def change_all_profiles(checked: CheckedApp, change: Change) -> None:
    """Change the next response of each endpoint that the app gets the user's data from."""
    for endpoint, profile in checked.profiles.items():
        checked.inject_fault(endpoint, body=json.dumps(change(profile)))


def change_id_token(checked: CheckedApp, change: Change) -> None:
    """Change the claims about the user in the next ID token; the provider signs them. Without one, change nothing."""
    before = claims_about_user(checked)
    if not before:
        return
    after = change(before)
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    removed = [name for name in before if name not in after]
    checked.inject_fault("token", id_token={"claims": changed, "remove": removed})


def change_user_data(checked: CheckedApp, change: Change, *, in_all_profiles: bool = False) -> None:
    """Change what the provider says next about the user: in the profile, and in the ID token."""
    if checked.profile_endpoints:
        (change_all_profiles if in_all_profiles else change_profile)(checked, change)
    change_id_token(checked, change)


@contextmanager
def faults_cleared(checked: CheckedApp) -> Iterator[None]:
    """Clear at the end the faults that have not happened; an app may not have sent the request that they are for."""
    try:
        yield
    finally:
        checked.clear_faults()


def log_in_with(
    checked: CheckedApp, browser: Browser, person: str, change: Change, *, in_all_profiles: bool = False
) -> Page:
    """Log in as this person, while the provider says something else about the user."""
    response = checked.authorization_response(browser, person)
    with faults_cleared(checked):
        change_user_data(checked, change, in_all_profiles=in_all_profiles)
        return send_attack(checked, browser, response)


def further_source(checked: CheckedApp) -> str | None:
    """Return the endpoint after the profile endpoint that says who the user is as well, or None."""
    return next(
        (
            endpoint
            for endpoint in checked.profile_endpoints[1:]
            if isinstance(checked.profiles[endpoint], dict) and subject_of(checked.profiles[endpoint]) is not None
        ),
        None,
    )


# Changes of a profile, or of the claims about the user. The members of X's profile are inside its member `data`.


def inner(profile: Any, change: Change) -> Any:
    """Change the object with the members about the user: the profile, or the object inside it."""
    if isinstance(profile.get("data"), dict) and "id" in profile["data"]:
        return {**profile, "data": change(profile["data"])}
    return change(profile)


def members(profile: Any) -> dict[str, Any]:
    """Return the members about the user."""
    data = profile.get("data")
    return data if isinstance(data, dict) and "id" in data else profile


def with_subject(profile: Any, value: Any) -> Any:
    """Return the profile with another subject (id or sub), or without it for `...`."""

    def change(own: dict[str, Any]) -> dict[str, Any]:
        kept = {name: member for name, member in own.items() if name not in ("id", "sub")}
        return kept if value is ... else {**kept, **{name: value for name in ("id", "sub") if name in own}}

    return inner(profile, change)


def subject_of(profile: Any) -> Any:
    """Return the subject of a profile (id or sub)."""
    found = members(profile)
    return found.get("sub", found.get("id"))


def with_name(profile: Any, name: str) -> Any:
    """Return the profile with another name."""
    first, _, last = name.partition(" ")
    own = {"given_name": first, "family_name": last, "first_name": first, "last_name": last}
    return inner(profile, lambda found: {**found, "name": name, **{key: own[key] for key in own if key in found}})


def named(profile: Any, name: str) -> Any:
    """Return the profile with another name, and with a user name and an e-mail address of that name."""
    dotted = ".".join(name.lower().split())
    own = {"email": f"{dotted}@example.com", **dict.fromkeys(USERNAMES, dotted)}
    return inner(with_name(profile, name), lambda found: {**found, **{key: own[key] for key in own if key in found}})


def with_username(profile: Any, username: str) -> Any:
    """Return the profile with another user name."""
    return inner(profile, lambda own: {**own, **{key: username for key in USERNAMES if key in own}})


def username_of(profile: Any) -> str | None:
    """Return the user name in a profile."""
    found = members(profile)
    return next((found[key] for key in USERNAMES if key in found), None)


def like(subject: Any, number: str) -> Any:
    """Return this number as the provider sends subjects: as a number or as a string."""
    return int(number) if isinstance(subject, int) and number.isdigit() else number


def minimal(profile: Any, value: Any) -> Any:
    """Return the profile in which all but the subject and the user name is missing (for `...`), or is this value."""

    def change(own: dict[str, Any]) -> dict[str, Any]:
        kept = {name: own[name] for name in ("id", "sub", *USERNAMES) if name in own}
        return kept if value is ... else {**dict.fromkeys(own, value), **kept}

    return inner(profile, change)


def hostile(profile: Any, text: str) -> Any:
    """Return the profile with this text in place of every other text except the subject."""
    if isinstance(profile, dict):
        return {
            name: value if name in ("id", "sub") else text if value is None else hostile(value, text)
            for name, value in profile.items()
        }
    if isinstance(profile, list):
        return [hostile(value, text) for value in profile]
    return text if isinstance(profile, str) else profile


def with_more(profile: Any, more: dict[str, Any]) -> Any:
    """Return the profile with further members; Okta's user has them inside the member `profile`."""
    if not isinstance(profile, dict):
        return profile
    place = next((name for name in ("data", "profile") if isinstance(profile.get(name), dict)), None)
    return {**profile, place: {**profile[place], **more}} if place else {**profile, **more}
