"""Which page the authorization endpoint shows: the rules of `prompt`, `max_age` and `login_hint`.

OpenID Connect Core sections 3.1.2.1, 3.1.2.3 and 3.1.2.6. Without OpenID Connect two rules are left: a person who is
not signed in chooses an account, and a person who has not allowed the app sees the consent page.
"""

from __future__ import annotations

from dataclasses import dataclass

from .authorization_request import AuthorizationRequest
from .errors import AuthorizationError


@dataclass(frozen=True)
class SignInSession:
    """The person who is signed in at a dialect in one browser.

    `at` is when they signed in, in seconds. `just_now` says that they signed in for the current request.
    """

    person: str
    at: float
    just_now: bool = False


def page_to_show(
    request: AuthorizationRequest, session: SignInSession | None, hinted: str | None, allowed: bool, now: float
) -> str | None:
    """Return the next page, "choose" (an account) or "consent", or None when the provider can respond to the app.

    `hinted` is the person whom `login_hint` names, `allowed` whether the person has allowed these scopes before, `now`
    the time in seconds. Raises AuthorizationError when a page is needed and the request has `prompt=none`.
    """
    problem = _sign_in_problem(request, session, hinted, now)
    page = "choose" if problem else None
    if page is None and (not allowed or "consent" in request.prompt):
        problem, page = "consent_required", "consent"
    if problem and "none" in request.prompt:
        raise AuthorizationError(problem, f"prompt is none, and a page has to be shown: {problem.replace('_', ' ')}")
    return page


def _sign_in_problem(
    request: AuthorizationRequest, session: SignInSession | None, hinted: str | None, now: float
) -> str | None:
    """Return the error code of the reason why the person has to sign in, or None."""
    if session is None:
        return "login_required"
    if session.just_now:
        return None  # otherwise prompt=login would show the page again and again
    if request.max_age is not None and now - session.at > request.max_age:
        return "login_required"
    if "login" in request.prompt or "select_account" in request.prompt:
        return "login_required"
    if hinted is not None and hinted != session.person:
        return "interaction_required"
    return None
