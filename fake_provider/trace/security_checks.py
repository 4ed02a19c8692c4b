"""What protects a login, and whether this one has it: read from its messages, with the section that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .logins import Login
from .message import Message

MIN_STATE_LENGTH = 16  # characters of a state: fewer can be tried out


@dataclass(frozen=True)
class SecurityCheck:
    """One protection. `holds` is None when there was nothing to see of it; `number` is the message that shows it."""

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
    look: Callable[[Login, list[Login]], tuple[bool | None, Message | None]]


def security_checks(login: Login, others: Iterable[Login] = ()) -> list[SecurityCheck]:
    """Return all protections; `others` are logins of the same client, to see what is used twice."""
    earlier = [other for other in others if other.number < login.number and other.client_id == login.client_id]
    found = []
    for rule in RULES:
        holds, message = rule.look(login, earlier)
        number = message.number if message else login.number
        found.append(SecurityCheck(rule.name, holds, number, rule.problem, rule.source))
    return found


def failed_checks(login: Login, others: Iterable[Login] = ()) -> list[SecurityCheck]:
    """Return the protections that this login lacks."""
    return [protection for protection in security_checks(login, others) if protection.passed is False]


def _asked_with(name: str) -> Callable[[Login, list[Login]], tuple[bool | None, Message | None]]:
    def look(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
        request = login.authorization_request
        return (None if request is None else bool(request.request_parameters.get(name))), request

    return look


def _state_is_long(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    state = login.authorization_request.request_parameters.get("state") if login.authorization_request else None
    return (len(state) >= MIN_STATE_LENGTH if state else None), login.authorization_request


def _fresh(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    used = [other.authorization_request.request_parameters for other in earlier if other.authorization_request]
    if login.authorization_request is None:
        return None, None
    names = [
        name
        for name in ("state", "nonce", "code_challenge")
        if login.authorization_request.request_parameters.get(name)
    ]
    again = any(
        before.get(name) == login.authorization_request.request_parameters[name] for before in used for name in names
    )
    return (not again if names else None), login.authorization_request


def _nonce(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    request = login.authorization_request
    if request is None or "openid" not in request.request_parameters.get("scope", "").split():
        return None, request
    return bool(request.request_parameters.get("nonce")), request


def _code_requests(login: Login) -> list[Message]:
    return [
        message for message in login.messages if message.endpoint == "token" and "code" in message.request_parameters
    ]


def _same_address(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    request, tokens = login.authorization_request, _code_requests(login)
    if request is None or not tokens or "redirect_uri" not in request.request_parameters:
        return None, None
    return tokens[0].request_parameters.get("redirect_uri") == request.request_parameters["redirect_uri"], tokens[0]


def _verifier(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    request, tokens = login.authorization_request, _code_requests(login)
    if request is None or not tokens or "code_challenge" not in request.request_parameters:
        return None, None
    return bool(tokens[0].request_parameters.get("code_verifier")), tokens[0]


def _code_once(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    tokens = _code_requests(login)
    codes = [message.request_parameters["code"] for message in tokens]
    return (len(set(codes)) == len(codes) if codes else None), tokens[-1] if tokens else None


def _authenticated(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    tokens = _code_requests(login)
    if not tokens:
        return None, None
    return "client_secret" in tokens[0].request_parameters or "Authorization" in dict(tokens[0].headers), tokens[0]


def _not_in_address(*names: str) -> Callable[[Login, list[Login]], tuple[bool | None, Message | None]]:
    def look(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
        back = login.back_channel
        bad = next((m for m in login.messages if any(name in dict(m.query) for name in names)), None)
        return (False, bad) if bad else (True if back else None, None)

    return look


def _code_at_home(login: Login, earlier: list[Login]) -> tuple[bool | None, Message | None]:
    later = [message for message in login.back_channel if message.endpoint != "token"]
    bad = next(
        (
            message
            for message in later
            if "code" in message.request_parameters or "client_secret" in message.request_parameters
        ),
        None,
    )
    return (False, bad) if bad else (True if later else None, None)


RULES: tuple[_Rule, ...] = (
    _Rule(
        "state",
        "No state in this request: anybody's answer would fit this browser.",
        "RFC 6749 section 10.12",
        _asked_with("state"),
    ),
    _Rule(
        "state that cannot be guessed",
        "The state is so short that it can be tried out.",
        "RFC 6749 section 10.10",
        _state_is_long,
    ),
    _Rule(
        "values of its own",
        "State, nonce or challenge is the same as in an earlier login: an old answer would fit.",
        "RFC 9700 section 2.1.1",
        _fresh,
    ),
    _Rule(
        "PKCE",
        "No PKCE in this request: a code that was read on the way is good in another login.",
        "RFC 9700 section 2.1.1",
        _asked_with("code_challenge"),
    ),
    _Rule("PKCE, the second half", "The code came back without its verifier.", "RFC 7636 section 4.5", _verifier),
    _Rule(
        "nonce",
        "No nonce, though an ID token is asked for: one from another login would fit.",
        "OpenID Connect Core section 15.5.2",
        _nonce,
    ),
    _Rule(
        "redirect_uri is named",
        "No redirect_uri in this request: it works only while one address is registered.",
        "RFC 6749 section 3.1.2.3",
        _asked_with("redirect_uri"),
    ),
    _Rule(
        "the same redirect_uri twice",
        "The code came back without the redirect_uri that it was asked for with.",
        "RFC 6749 section 4.1.3",
        _same_address,
    ),
    _Rule(
        "the app proves who it is",
        "No secret came with the code: whoever has the code could send it.",
        "RFC 6749 section 3.2.1",
        _authenticated,
    ),
    _Rule("one code, one request", "The same code came twice.", "RFC 6749 section 10.5", _code_once),
    _Rule(
        "no secret in an address",
        "The client secret stands in an address, and addresses are written into logs.",
        "RFC 6749 section 2.3.1",
        _not_in_address("client_secret"),
    ),
    _Rule(
        "no token in an address",
        "The access token stands in an address, and addresses are written into logs.",
        "RFC 6750 section 5.3",
        _not_in_address("access_token"),
    ),
    _Rule(
        "code and secret only at the token endpoint",
        "Code or client secret was sent to an endpoint that has no use for it.",
        "RFC 6749 section 4.1.3",
        _code_at_home,
    ),
)
