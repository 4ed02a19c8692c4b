"""Rows 42 to 56: attacks by ID tokens, by keys and by the discovery document.

The provider makes each wrong ID token from the data here.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from joserfc.jwk import RSAKey

from fake_provider import free_port

from . import relay
from .apps import NOT_COPIED, App
from .attack_steps import is_of_this_repository, send_attack
from .browser import Browser, Page
from .cases_responses import EVIL, assert_access_token_unused, with_token_fault
from .catalogue import row, variants
from .checked_app import (
    ADA,
    AttackWorked,
    CheckedApp,
    NotApplicable,
    assert_handled,
    assert_logged_in,
    assert_no_crash,
    assert_refused,
    start,
)
from .probes import refresh_responses, short_lived_tokens
from .shown_name import claims_of, members_of
from .user_data import faults_cleared


def _refused(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change)


def _accepted(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change, lambda checked, browser, page: assert_logged_in(checked, browser, page, ADA))


def _id_token(**change: Any) -> dict[str, Any]:
    return {"id_token": change}


def _claims(**claims: Any) -> dict[str, Any]:
    return _id_token(claims=claims)


row(
    "RP-42",
    "No ID token",
    "The token reply comes without an ID token, or with something that is none: then nobody has been proved.",
    "OpenID Connect Core 3.1.3.3",
    needs="id token",
)


@variants(
    "RP-42",
    {
        "a missing": {"remove": ["id_token"]},
        "b null": {"set": {"id_token": None}},
        "c empty": {"set": {"id_token": ""}},
        "d of two parts": {"set": {"id_token": "e30.e30"}},
        "e of five parts": {"set": {"id_token": "e30.e30.e30.e30.e30"}},
        "f a number": {"set": {"id_token": 5}},
        "g a list": {"set": {"id_token": ["e30.e30.e30"]}},
        "h no object inside": _id_token(payload="[]"),
        "i no JSON inside": _id_token(payload="x"),
        "j a lone surrogate inside": _id_token(payload='{"sub": "\\ud800"}'),
    },
)
def malformed_id_token(checked: CheckedApp, change: dict[str, Any]) -> None:
    _refused(checked, change)


row(
    "RP-43",
    "An unsigned ID token",
    'The header says that the algorithm is "none", so anybody can have written it.',
    "RFC 8725 section 2.1, ASVS 6.8.2",
    needs="id token",
)
WITHOUT = ["at_hash"]  # an optional claim; with alg none there is no hash for it, so an attacker leaves it out
NONES = {
    **{
        f"a {alg}": _id_token(sign="none", header={"alg": alg}, remove=WITHOUT)
        for alg in ("none", "None", "NoNe", "NONE")
    },
    "b none, with the old signature": _id_token(sign="old signature", header={"alg": "none"}, remove=WITHOUT),
    "c no alg at all": _id_token(sign="none", header={"alg": None}, remove=WITHOUT),
}


@variants("RP-43", NONES)
def alg_none(checked: CheckedApp, change: dict[str, Any]) -> None:
    _refused(checked, change)


@variants("RP-43", {"d none, and discovery offers it": None}, needs="own process")
def alg_none_offered_by_discovery(checked: CheckedApp) -> None:
    with restarted_app(checked, lambda metadata: {**metadata, **dict.fromkeys(_ALGORITHM_LISTS, WEAK)}) as started:
        for change in NONES.values():
            _refused(started, change)


_ALGORITHM_LISTS = ("id_token_signing_alg_values_supported",)
WEAK = ["none", "HS256", "RS256"]

row(
    "RP-44",
    "A wrong signature",
    "The ID token was changed on the way, or another key has signed it.",
    "OpenID Connect Core 3.1.3.7",
    needs="id token",
)


@variants(
    "RP-44",
    {
        "a one bit changed": _id_token(sign="flipped"),
        "b no signature": _id_token(sign="none", header={"alg": "RS256"}),
        "c another key with the same kid": _id_token(sign="other key"),
        "d a changed payload": _id_token(sign="old signature", claims={"sub": "another-user"}),
        "e a changed header": _id_token(sign="old signature", header={"typ": "JWT", "x": 1}),
    },
)
def wrong_signature(checked: CheckedApp, change: dict[str, Any]) -> None:
    _refused(checked, change)


row(
    "RP-45",
    "A public key used as a secret",
    "The token is signed with HMAC, and the secret is what everybody knows: the public key in one of its forms.",
    "RFC 8725 section 2.1, CVE-2024-37568",
    needs="id token",
)


def _secrets_from(key: dict[str, Any]) -> dict[str, bytes]:
    public = RSAKey.import_key({name: key[name] for name in ("kty", "n", "e")})
    pem = public.as_pem(private=False)
    return {
        "PEM": pem,
        "PEM without its last line end": pem.strip(),
        "PEM without its frame": b"".join(pem.splitlines()[1:-1]),
        "DER": base64.b64decode(b"".join(pem.splitlines()[1:-1])),
        "JWK": json.dumps(key).encode(),
        "JWK without spaces": json.dumps(key, separators=(",", ":")).encode(),
        "n": key["n"].encode(),
        "e": key["e"].encode(),
        "kty": key["kty"].encode(),
        "nothing": b"",
        "kid": key["kid"].encode(),
    }


def _public_key(checked: CheckedApp) -> dict[str, Any]:
    found = next(key for key in published_keys(checked)["keys"] if key["kty"] == "RSA")
    return dict(found)


def published_keys(checked: CheckedApp) -> dict[str, Any]:
    """Return the provider's key set."""
    with urlopen(f"{checked.provider.url}{jwks_path(checked)}", timeout=10) as response:  # noqa: S310 - our own provider
        return json.load(response)


def metadata_of(checked: CheckedApp) -> dict[str, Any]:
    """Return the provider's discovery document."""
    with urlopen(f"{checked.provider.url}{discovery_path(checked)}", timeout=10) as response:  # noqa: S310 - our own provider
        return json.load(response)


def discovery_path(checked: CheckedApp) -> str:
    """Return the path at which the app requested the discovery document."""
    for message in checked.provider.trace(dialect=checked.dialect):
        if message["request"]["path"].endswith("/.well-known/openid-configuration"):
            return message["request"]["path"]
    issuer = urlsplit(checked.id_token_claims["iss"]).path
    return f"{issuer}/.well-known/openid-configuration"


def jwks_path(checked: CheckedApp) -> str:
    """Return the path of the key set."""
    return urlsplit(metadata_of(checked)["jwks_uri"]).path


def _by_hmac(secret: bytes) -> dict[str, Any]:
    k = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    return _id_token(header={"alg": "HS256"}, key={"kty": "oct", "k": k})


@variants("RP-45", {"a the public key": None})
def algorithm_confusion(checked: CheckedApp) -> None:
    for name, secret in _secrets_from(_public_key(checked)).items():
        try:
            _refused(checked, _by_hmac(secret))
        except AttackWorked as error:
            raise AttackWorked(f"{name}: {error}") from None


@variants(
    "RP-45",
    {
        "b the public key, signed by the provider": _id_token(sign="public key"),
        "c the client secret": _id_token(sign="client secret"),
    },
)
def algorithm_confusion_by_provider(checked: CheckedApp, change: dict[str, Any]) -> None:
    _refused(checked, change)


@variants("RP-45", {"d all of them, and discovery offers HS256": None}, needs="own process")
def algorithm_confusion_offered_by_discovery(checked: CheckedApp) -> None:
    with restarted_app(checked, lambda metadata: {**metadata, **dict.fromkeys(_ALGORITHM_LISTS, WEAK)}) as started:
        for secret in _secrets_from(_public_key(checked)).values():
            _refused(started, _by_hmac(secret))
        _refused(started, _id_token(sign="public key"))
        _refused(started, _id_token(sign="client secret"))


row(
    "RP-46",
    "A key that the token brings along",
    "The header holds the key to check the token with, or says where to fetch it.",
    "OpenID Connect Core 2, RFC 8725 section 3.10",
    needs="id token",
)


@cache
def own_key() -> RSAKey:
    """Return the attacker's key."""
    return RSAKey.generate_key(2048)


def _private() -> dict[str, Any]:
    return {name: value for name, value in own_key().as_dict(private=True).items() if name != "kid"}


@variants(
    "RP-46",
    {
        "a jwk": lambda url: {"jwk": own_key().as_dict(private=False)},
        "b jku": lambda url: {"jku": f"{url}/keys"},
        "c x5u": lambda url: {"x5u": f"{url}/certificate"},
        "d x5c": lambda url: {"x5c": [base64.b64encode(own_key().as_der(private=False)).decode()]},
        "e kid a URL": lambda url: {"kid": f"{url}/keys"},
        "e kid a path": lambda url: {"kid": "../../../../dev/null"},
        "e kid SQL": lambda url: {"kid": "x' UNION SELECT 'secret' --"},
        "e kid a list": lambda url: {"kid": ["x"]},
        "f an unknown crit": lambda url: {"crit": ["unknown"], "unknown": True},
    },
)
def key_injection(checked: CheckedApp, header: Callable[[str], dict[str, Any]]) -> None:
    before = len(checked.collector.requests)
    _refused(checked, _id_token(header=header(checked.collector.url), key=_private()))
    if len(checked.collector.requests) > before:
        raise AttackWorked("the app requested a URL that the token named")


row(
    "RP-47",
    "An ID token of another issuer",
    "iss is missing, or is not character for character the issuer that was asked.",
    "OpenID Connect Core 3.1.3.7 (2)",
    needs="id token",
)


@variants(
    "RP-47",
    {
        "a another": lambda iss: _claims(iss=EVIL),
        "b missing": lambda iss: _id_token(remove=["iss"]),
        "c empty": lambda iss: _claims(iss=""),
        "d null": lambda iss: _claims(iss=None),
        "e a list": lambda iss: _claims(iss=[iss]),
        "f with one more slash": lambda iss: _claims(iss=iss + "/"),
        "g in capitals": lambda iss: _claims(iss=iss.upper()),
        "h https": lambda iss: _claims(iss=_with_other_scheme(iss)),
        "i only in the header": lambda iss: _id_token(remove=["iss"], header={"iss": iss}),
    },
)
def wrong_issuer(checked: CheckedApp, make) -> None:
    _refused(checked, make(checked.id_token_claims["iss"]))


def _with_other_scheme(url: str) -> str:
    scheme, _, rest = url.partition(":")
    return f"{'http' if scheme == 'https' else 'https'}:{rest}"


row(
    "RP-48",
    "An ID token for another app",
    "aud names another client, or others beside ours; azp says that somebody else may use it.",
    "OpenID Connect Core 3.1.3.7 (3 to 5)",
    needs="id token",
)


@variants(
    "RP-48",
    {
        "a another": lambda me: _claims(aud="another-app"),
        "b missing": lambda me: _id_token(remove=["aud"]),
        "c empty": lambda me: _claims(aud=""),
        "c an empty list": lambda me: _claims(aud=[]),
        "c null": lambda me: _claims(aud=None),
        "d ours and an untrusted one": lambda me: _claims(aud=[me, "untrusted"]),
        "e ours and another, with azp of the other": lambda me: _claims(aud=[me, "x"], azp="x"),
        "f another, with our azp": lambda me: _claims(aud="another-app", azp=me),
        "g ours with one more letter": lambda me: _claims(aud=me + "x"),
        "g ours without the last letter": lambda me: _claims(aud=me[:-1]),
        "g an object": lambda me: _claims(aud={me: True}),
        "h ours, with azp of another": lambda me: _claims(azp="x"),
    },
)
def wrong_audience(checked: CheckedApp, make) -> None:
    _refused(checked, make(checked.client_id))


row(
    "RP-49",
    "An ID token out of its time",
    "It has ended, begins in an hour, or says nothing of its time that can be read.",
    "OpenID Connect Core 3.1.3.7 (9 and 10)",
    needs="id token",
)


@variants(
    "RP-49",
    {
        "a exp ten minutes ago": lambda now: _claims(exp=now - 600),
        "b exp missing": lambda now: _id_token(remove=["exp"]),
        "c exp a word": lambda now: _claims(exp="tomorrow"),
        "d exp null": lambda now: _claims(exp=None),
        "e nbf in an hour": lambda now: _claims(nbf=now + 3600),
        "f iat in an hour": lambda now: _claims(iat=now + 3600),
        "g iat missing": lambda now: _id_token(remove=["iat"]),
    },
)
def wrong_times(checked: CheckedApp, make) -> None:
    _refused(checked, make(int(time.time())))


@variants("RP-49", {"h iat a week ago": 7 * 86_400, "i iat ten years ago": 10 * 365 * 86_400})
def old_id_token(checked: CheckedApp, seconds: int) -> None:
    change = _claims(iat=int(time.time()) - seconds)
    with_token_fault(checked, change, assert_refused if is_of_this_repository(checked) else _assert_age_is_choice)


def _assert_age_is_choice(checked: CheckedApp, browser: Browser, page: Page) -> None:
    assert_handled(checked, browser, page)
    if checked.logged_in_name(browser) is not None:
        raise NotApplicable("how old an ID token may be is the client's choice (OpenID Connect Core 3.1.3.7, 10)")


@variants("RP-49", {"j iat a minute ago": lambda now: _claims(iat=now - 60)})
def recent_id_token(checked: CheckedApp, make) -> None:
    _accepted(checked, make(int(time.time())))


@variants("RP-49", {"k exp infinite": '{"exp": 1e400, "iss": "x"}'})
def infinite_exp(checked: CheckedApp, payload: str) -> None:
    _refused(checked, _id_token(payload=payload))


row(
    "RP-50",
    "An ID token of another login",
    "nonce is missing, or is that of another session or of a login before.",
    "OpenID Connect Core 3.1.3.7 (11)",
    needs="id token",
)


@variants(
    "RP-50",
    {
        "a another": _claims(nonce="another"),
        "b missing": _id_token(remove=["nonce"]),
        "c empty": _claims(nonce=""),
        "d null": _claims(nonce=None),
        "e a list": _claims(nonce=["another"]),
    },
)
def wrong_nonce(checked: CheckedApp, change: dict[str, Any]) -> None:
    _require_nonce(checked)
    _refused(checked, change)


@variants("RP-50", {"f of an earlier login": None})
def nonce_replay(checked: CheckedApp) -> None:
    _require_nonce(checked)
    _refused(checked, _claims(nonce=checked.id_token_claims["nonce"]))


@variants("RP-50", {"g wrong, and discovery has nonce_supported false": None}, needs="own process")
def nonce_unsupported(checked: CheckedApp) -> None:
    _require_nonce(checked)
    with restarted_app(checked, lambda metadata: {**metadata, "nonce_supported": False}) as started:
        _refused(started, _claims(nonce="another"))
        _refused(started, _id_token(remove=["nonce"]))


def _require_nonce(checked: CheckedApp) -> None:
    if "nonce" not in checked.request_parameters:  # optional for the code flow (OpenID Connect Core 3.1.2.1)
        raise NotApplicable("it sends no nonce: PKCE has to tie the code to the login, see RP-13")


row(
    "RP-51",
    "An ID token of nobody",
    "sub is missing, empty or no text; or at_hash belongs to another access token.",
    "OpenID Connect Core 2 and 3.1.3.8",
    needs="id token",
)


@variants(
    "RP-51",
    {
        "a sub missing": _id_token(remove=["sub"]),
        "b sub empty": _claims(sub=""),
        "c sub null": _claims(sub=None),
        "d sub a number": _claims(sub=1),
        "e sub a list": _claims(sub=["1"]),
        "f sub of 10,000 characters": _claims(sub="1" * 10_000),
    },
)
def unusable_sub(checked: CheckedApp, change: dict[str, Any]) -> None:
    _refused(checked, change)


@variants("RP-51", {"g at_hash of another token": _claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA")})
def at_hash_of_another_token(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change, assert_refused if checked.profile_endpoints else assert_access_token_unused)


row(
    "RP-52",
    "An unusual ID token that is right",
    "aud as a list of one, claims and header members that nobody knows, no at_hash: all allowed.",
    "Tolerance; OpenID Connect Core 2",
    needs="id token",
)


@variants(
    "RP-52",
    {
        "a aud a list of one": lambda me: _claims(aud=[me]),
        "b unknown claims": lambda me: _claims(unknown={"a": [1, None]}, groups=["x"] * 50),
        "c an unknown header": lambda me: _id_token(header={"unknown": "x", "typ": "JWT"}),
        "d no at_hash": lambda me: _id_token(remove=["at_hash"]),
        "e our azp": lambda me: _claims(azp=me),
    },
)
def unusual_id_token(checked: CheckedApp, make) -> None:
    _accepted(checked, make(checked.client_id))


@variants("RP-52", {"f no kid, and one key": _id_token(header={"kid": None})})
def without_kid(checked: CheckedApp, change: dict[str, Any]) -> None:
    _accepted(checked, change)


row(
    "RP-53",
    "New keys, and no keys",
    "The provider changes its key between two logins, or its key set is away, empty or strange for a while.",
    "OpenID Connect Core 10.1.1",
    needs="id token",
)


@variants("RP-53", {"a a new key": {}, "b a new key, the old one removed": {"withdraw": True}})
def key_rotation(checked: CheckedApp, how: dict[str, Any]) -> None:
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))
    checked.provider.rotate_keys(checked.dialect, **how)
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))


@variants("RP-53", {"b a token signed with the removed key": "removed-later"}, needs="own process")
def withdrawn_key(checked: CheckedApp, kid: str) -> None:
    path = jwks_path(checked)
    public = {**own_key().as_dict(private=False), "kid": kid, "alg": "RS256", "use": "sig"}
    keys = [public, *published_keys(checked)["keys"]]
    change = _id_token(header={"kid": kid}, key=_private())
    checked.relay.set_behaviour("path", path, relay.respond_with(json.dumps({"keys": keys}).encode()))
    try:
        _accepted(checked, change)
    finally:
        checked.relay.clear_behaviour("path", path)
    checked.provider.rotate_keys(checked.dialect, withdraw=True)
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))  # the app fetches the new keys
    _refused(checked, change)


@variants("RP-53", {"c a new key with the old kid": None})
def new_key_with_old_kid(checked: CheckedApp) -> None:
    checked.provider.rotate_keys(checked.dialect, same_kid=True)
    assert_handled(checked, browser := checked.new_browser(), checked.log_in(browser))
    checked.provider.rotate_keys(checked.dialect)
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))


UNKNOWN_KEY = {"kty": "XYZ", "kid": "unknown", "alg": "RS256", "use": "sig"}


@variants(
    "RP-53",
    {
        "d status 500": relay.respond_with(b'{"keys": []}', status="500 Internal Server Error"),
        "d a page": relay.respond_with(b"<h1>Hello</h1>"),
        "d empty": relay.respond_with(b'{"keys": []}'),
        "d null": relay.respond_with(b"null"),
        "d a list": relay.respond_with(b"[]"),
        "d malformed keys": relay.respond_with(b'{"keys": [null, 1, {}]}'),
        "d reset": relay.reset_connection,
    },
    needs="own process",
)
def key_set_unavailable(checked: CheckedApp, act) -> None:
    path = jwks_path(checked)
    checked.relay.set_behaviour("path", path, act)
    checked.provider.rotate_keys(checked.dialect)
    try:
        assert_refused(checked, browser := checked.new_browser(), _attack_login(checked, browser))
    finally:
        checked.relay.clear_behaviour("path", path)
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))


@variants("RP-53", {"d an unknown key type beside the right key": [UNKNOWN_KEY]}, needs="own process")
def unknown_key_type(checked: CheckedApp, more: list[dict[str, Any]]) -> None:
    checked.provider.rotate_keys(checked.dialect)
    path = jwks_path(checked)
    checked.relay.set_behaviour(
        "path", path, relay.respond_with(json.dumps({"keys": more + published_keys(checked)["keys"]}).encode())
    )
    try:
        assert_handled(checked, browser := checked.new_browser(), checked.log_in(browser))
    finally:
        checked.relay.clear_behaviour("path", path)
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))


@variants("RP-53", {"e a secret among the keys": None}, needs="own process")
def secret_among_keys(checked: CheckedApp) -> None:
    secret = base64.urlsafe_b64encode(b"a published secret").decode().rstrip("=")
    path = jwks_path(checked)
    keys = [{"kty": "oct", "k": secret, "kid": "published", "alg": "HS256"}, *published_keys(checked)["keys"]]
    checked.relay.set_behaviour("path", path, relay.respond_with(json.dumps({"keys": keys}).encode()))
    try:
        _refused(checked, _id_token(header={"alg": "HS256", "kid": "published"}, key={"kty": "oct", "k": secret}))
    finally:
        checked.relay.clear_behaviour("path", path)


@variants("RP-53", {"f twenty unknown kids": 20})
def unknown_kids(checked: CheckedApp, number: int) -> None:
    path = jwks_path(checked)
    before = max((message["number"] for message in checked.messages()), default=checked.ignored_until)
    for count in range(number):
        _refused(checked, _id_token(header={"kid": f"unknown-{count}"}))
    seen = checked.provider.trace(dialect=checked.dialect, after=before)
    fetched = sum(message["request"]["path"] == path for message in seen)
    if fetched > 5:
        raise AttackWorked(f"{number} tokens with an unknown kid made the app fetch the keys {fetched} times")


row(
    "RP-54",
    "A refresh that answers with somebody else",
    "The ID token of a refresh has another subject or issuer than the first.",
    "OpenID Connect Core 12.2",
    needs=("id token", "refresh"),
)


@variants("RP-54", {"a another subject": True, "b the same subject of another issuer": False})
def other_user_after_refresh(checked: CheckedApp, is_subject: bool) -> None:
    own = secrets.token_hex(4)  # new users: some providers send a refresh token once to each
    person, other = checked.add_person(f"Rosa Refresh {own}"), checked.add_person(f"Olga Other {own}")
    checked.ignore_earlier_messages()
    checked.log_in(checked.new_browser(), other)
    tokens = [members_of(message["reply"]) for message in checked.requests_to("token")]
    told = claims_of(tokens[-1].get("id_token"))
    change = {name: told[name] for name in (*ABOUT_A_USER, *(["sub"] if is_subject else [])) if name in told}
    change |= {} if is_subject else {"iss": EVIL}
    browser = checked.new_browser()
    with short_lived_tokens(checked), faults_cleared(checked):
        checked.log_in(browser, person)
        checked.inject_fault("token", id_token={"claims": change}, times=3)
        if not any("id_token" in members_of(response) for response in refresh_responses(checked, browser)):
            raise NotApplicable("its refresh gets no ID token")
    found = checked.logged_in_name(browser)
    if found is not None and not found.startswith(person):
        raise AttackWorked(f"after the refresh {person} is logged in as {found}")


ABOUT_A_USER = (
    "name", "given_name", "family_name", "nickname", "preferred_username", "email", "email_verified", "picture",
)  # fmt: skip


def _attack_login(checked: CheckedApp, browser: Browser) -> Page:
    return send_attack(checked, browser, checked.authorization_response(browser))


# I. Discovery


@contextmanager
def restarted_app(
    checked: CheckedApp,
    change: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    act: relay.Behaviour | None = None,
) -> Iterator[CheckedApp]:
    """Start one more instance of the app, with a relay of its own that changes the discovery document."""
    own = relay.Relay(checked.provider.port)
    home = checked.app.home.with_name(f"{checked.app.home.name}-{own.port}")
    shutil.copytree(checked.app.home, home, ignore=NOT_COPIED)
    port = free_port()
    settings = {name: value.replace(checked.relay.url, own.url) for name, value in checked.app.environment.items()}
    app = App(checked.folder, f"http://localhost:{port}", home, {**settings, "PORT": str(port)})
    path = discovery_path(checked)

    def changed(connection, request, forward) -> None:
        body = forward().partition(b"\r\n\r\n")[2]
        relay.send_response(connection, json.dumps(change(json.loads(body))).encode())

    if act or change:
        own.set_behaviour("path", path, act or changed)
    try:
        start(app)
        yield checked.another_instance(app.url, app, own)
    finally:
        app.stop()
        own.stop()


row(
    "RP-55",
    "A discovery document of somebody else",
    "The document at the issuer's address names another issuer, and the ID tokens follow it.",
    "OpenID Connect Discovery 4.3, RFC 8414 section 3.3",
    needs=("id token", "own process"),
)


@variants("RP-55", {"a another issuer": EVIL, "b with one more slash": "/"})
def discovery_of_another_issuer(checked: CheckedApp, issuer: str) -> None:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return {**metadata, "issuer": issuer if issuer != "/" else metadata["issuer"] + "/"}

    with restarted_app(checked, change) as started:
        browser = started.new_browser()
        page = browser.open(started.login_url, stop_at=started.leaves_app)
        assert_no_crash(page)
        if not page.location:
            return  # the app refuses to begin a login
        response = started.authorize(browser, page.location)
        own = (
            issuer
            if issuer != "/"
            else f"{checked.id_token_claims['iss'].replace(checked.relay.url, started.relay.url)}/"
        )
        with faults_cleared(started):
            started.inject_fault("token", **_claims(iss=own))
            assert_refused(started, browser, send_attack(started, browser, response))


row(
    "RP-56",
    "No discovery document",
    "It is away, is a page, lacks half its members or names strange addresses: a page says so, and when it is back, "
    "so is the login.",
    "Hardening",
    needs=("id token", "own process"),
)


@variants(
    "RP-56",
    {
        "a reset": relay.reset_connection,
        "b status 500": relay.respond_with(b"{}", status="500 Internal Server Error"),
        "c a page": relay.respond_with(b"<h1>Hello</h1>"),
        "d empty": relay.respond_with(b"{}"),
        "e null": relay.respond_with(b"null"),
        "e a list": relay.respond_with(b"[]"),
    },
    slow="together",
)
def discovery_unavailable(checked: CheckedApp, act) -> None:
    with restarted_app(checked, act=act) as started:
        _assert_fails_and_recovers(started)


@variants(
    "RP-56",
    {
        "f file URLs": {"token_endpoint": "file:///etc/passwd", "jwks_uri": "file:///etc/passwd"},
        "g endpoints that are no URLs": {"token_endpoint": 5, "authorization_endpoint": None},
        "h a member missing": {"token_endpoint": ..., "jwks_uri": ...},
    },
    slow="together",
)
def malformed_discovery(checked: CheckedApp, changes: dict[str, Any]) -> None:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**metadata, **changes}.items() if value is not ...}

    with restarted_app(checked, change) as started:
        browser = started.new_browser()
        page = browser.open(started.login_url, stop_at=started.leaves_app)
        assert_no_crash(page)
        if page.location:
            assert_refused(started, browser, send_attack(started, browser, started.authorize(browser, page.location)))


def _assert_fails_and_recovers(started: CheckedApp) -> None:
    started.home_page(started.new_browser())
    page = assert_no_crash(started.new_browser().open(started.login_url, stop_at=started.leaves_app))
    if page.location:
        raise AttackWorked("a login begins without a discovery document")
    started.relay.clear_behaviour("path", discovery_path(started))
    assert_logged_in(started, browser := started.new_browser(), started.log_in(browser))
