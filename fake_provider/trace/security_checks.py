"""The security checks of a login: each protection, whether the messages show it, and the section that requires it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .logins import Login
from .message import Message

MIN_STATE_LENGTH = 16  # characters: a shorter state can be guessed

Result = tuple[bool | None, Message | None]  # passed, failed or nothing to check, and the message that decides
CheckFunction = Callable[[Login, list[Login]], Result]  # of a login and the earlier logins of its client


@dataclass(frozen=True)
class SecurityCheck:
    """One protection, and whether a login has it.

    `passed` is None when the messages do not show it. `number` is that of the message that decides, and `problem` is a
    sentence for a page: what it means that the protection is missing.
    """

    name: str
    passed: bool | None
    number: int
    problem: str
    source: str


@dataclass(frozen=True)
class _Rule:
    name: str
    problem: str
    source: str
    check: CheckFunction


def security_checks(login: Login, others: Iterable[Login] = ()) -> list[SecurityCheck]:
    """Return all security checks of a login; values must not be the same as in `others` of the same client."""
    earlier = [other for other in others if other.number < login.number and other.client_id == login.client_id]
    checks = []
    for rule in RULES:
        passed, message = rule.check(login, earlier)
        number = message.number if message else login.number
        checks.append(SecurityCheck(rule.name, passed, number, rule.problem, rule.source))
    return checks


def _requested_with(name: str) -> CheckFunction:
    def check(login: Login, earlier: list[Login]) -> Result:
        request = login.authorization_request
        return (None if request is None else bool(request.request_parameters.get(name))), request

    return check


def _check_state_length(login: Login, earlier: list[Login]) -> Result:
    request = login.authorization_request
    state = request.request_parameters.get("state") if request else None
    return (len(state) >= MIN_STATE_LENGTH if state else None), request


def _check_values_are_new(login: Login, earlier: list[Login]) -> Result:
    request = login.authorization_request
    if request is None:
        return None, None
    sent = request.request_parameters
    names = [name for name in ("state", "nonce", "code_challenge") if sent.get(name)]
    sent_before = [other.authorization_request.request_parameters for other in earlier if other.authorization_request]
    is_repeated = any(before.get(name) == sent[name] for before in sent_before for name in names)
    return (not is_repeated if names else None), request


def _check_nonce(login: Login, earlier: list[Login]) -> Result:
    request = login.authorization_request
    if request is None or "openid" not in request.request_parameters.get("scope", "").split():
        return None, request
    return bool(request.request_parameters.get("nonce")), request


def _token_requests(login: Login) -> list[Message]:
    """Return the token requests that exchange a code."""
    requests = [message for message in login.messages if message.endpoint == "token"]
    return [message for message in requests if "code" in message.request_parameters]


def _check_redirect_uri(login: Login, earlier: list[Login]) -> Result:
    request, exchanges = login.authorization_request, _token_requests(login)
    if request is None or not exchanges or "redirect_uri" not in request.request_parameters:
        return None, None
    sent = exchanges[0].request_parameters.get("redirect_uri")
    return sent == request.request_parameters["redirect_uri"], exchanges[0]


def _check_verifier(login: Login, earlier: list[Login]) -> Result:
    request, exchanges = login.authorization_request, _token_requests(login)
    if request is None or not exchanges or "code_challenge" not in request.request_parameters:
        return None, None
    return bool(exchanges[0].request_parameters.get("code_verifier")), exchanges[0]


def _check_single_use(login: Login, earlier: list[Login]) -> Result:
    exchanges = _token_requests(login)
    codes = [message.request_parameters["code"] for message in exchanges]
    return (len(set(codes)) == len(codes) if codes else None), exchanges[-1] if exchanges else None


def _check_client_authentication(login: Login, earlier: list[Login]) -> Result:
    exchanges = _token_requests(login)
    if not exchanges:
        return None, None
    first = exchanges[0]
    return "client_secret" in first.request_parameters or "Authorization" in dict(first.headers), first


def _not_in_url(name: str) -> CheckFunction:
    def check(login: Login, earlier: list[Login]) -> Result:
        found = next((message for message in login.messages if name in dict(message.query)), None)
        return (False, found) if found else (True if login.back_channel else None, None)

    return check


def _check_endpoints_of_secrets(login: Login, earlier: list[Login]) -> Result:
    """Check that neither code nor client secret was sent to another endpoint than the token endpoint."""
    others = [message for message in login.back_channel if message.endpoint != "token"]
    found = next((m for m in others if m.request_parameters.keys() & {"code", "client_secret"}), None)
    return (False, found) if found else (True if others else None, None)


RULES: tuple[_Rule, ...] = (
    _Rule(
        "state",
        "No state in this request: anybody's answer would fit this browser.",
        "RFC 6749 section 10.12",
        _requested_with("state"),
    ),
    _Rule(
        "state that cannot be guessed",
        "The state is so short that it can be tried out.",
        "RFC 6749 section 10.10",
        _check_state_length,
    ),
    _Rule(
        "values of its own",
        "State, nonce or challenge is the same as in an earlier login: an old answer would fit.",
        "RFC 9700 section 2.1.1",
        _check_values_are_new,
    ),
    _Rule(
        "PKCE",
        "No PKCE in this request: a code that was read on the way is good in another login.",
        "RFC 9700 section 2.1.1",
        _requested_with("code_challenge"),
    ),
    _Rule("PKCE, the second half", "The code came back without its verifier.", "RFC 7636 section 4.5", _check_verifier),
    _Rule(
        "nonce",
        "No nonce, though an ID token is asked for: one from another login would fit.",
        "OpenID Connect Core section 15.5.2",
        _check_nonce,
    ),
    _Rule(
        "redirect_uri is named",
        "No redirect_uri in this request: it works only while one address is registered.",
        "RFC 6749 section 3.1.2.3",
        _requested_with("redirect_uri"),
    ),
    _Rule(
        "the same redirect_uri twice",
        "The code came back without the redirect_uri that it was asked for with.",
        "RFC 6749 section 4.1.3",
        _check_redirect_uri,
    ),
    _Rule(
        "the app proves who it is",
        "No secret came with the code: whoever has the code could send it.",
        "RFC 6749 section 3.2.1",
        _check_client_authentication,
    ),
    _Rule("one code, one request", "The same code came twice.", "RFC 6749 section 10.5", _check_single_use),
    _Rule(
        "no secret in an address",
        "The client secret stands in an address, and addresses are written into logs.",
        "RFC 6749 section 2.3.1",
        _not_in_url("client_secret"),
    ),
    _Rule(
        "no token in an address",
        "The access token stands in an address, and addresses are written into logs.",
        "RFC 6750 section 5.3",
        _not_in_url("access_token"),
    ),
    _Rule(
        "code and secret only at the token endpoint",
        "Code or client secret was sent to an endpoint that has no use for it.",
        "RFC 6749 section 4.1.3",
        _check_endpoints_of_secrets,
    ),
)
