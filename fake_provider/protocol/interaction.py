"""Whether a person has to be asked, and what: the rules of `prompt`, `max_age` and `login_hint`.

OpenID Connect Core sections 3.1.2.1, 3.1.2.3 and 3.1.2.6. Without OpenID Connect there is one rule left: who is not
signed in is asked who they are, and who has not allowed the app is asked whether they do.
"""

from __future__ import annotations

from dataclasses import dataclass

from .authorization_request import AuthorizationRequest
from .errors import AuthorizationError


@dataclass(frozen=True)
class SignInSession:
    """Who is signed in at a dialect in one browser, and since when.

    `just_now` says that they were asked for the very request that is being answered.
    """

    person: str
    at: float
    just_now: bool = False


def page_to_show(
    asked: AuthorizationRequest, session: SignInSession | None, hinted: str | None, allowed: bool, now: float
) -> str | None:
    """Return the page that comes next, "choose" or "consent", or None when the app can have its answer.

    `hinted` is the person that `login_hint` names, `allowed` whether the app may have what it asks without asking
    the person. Raises SentToApp under `prompt=none`, when there is a page to show and none may be shown.
    """
    problem = _sign_in_problem(asked, session, hinted, now)
    page = "choose" if problem else None
    if page is None and (not allowed or "consent" in asked.prompt):
        problem, page = "consent_required", "consent"
    if problem and "none" in asked.prompt:
        raise AuthorizationError(problem, f"prompt is none, and a page has to be shown: {problem.replace('_', ' ')}")
    return page


def _sign_in_problem(
    asked: AuthorizationRequest, session: SignInSession | None, hinted: str | None, now: float
) -> str | None:
    if session is None:
        return "login_required"
    if session.just_now:
        return None  # they have been asked for this request: once is enough, whatever it wants
    if asked.max_age is not None and now - session.at > asked.max_age:
        return "login_required"
    if "login" in asked.prompt or "select_account" in asked.prompt:
        return "login_required"
    if hinted is not None and hinted != session.person:
        return "interaction_required"
    return None
