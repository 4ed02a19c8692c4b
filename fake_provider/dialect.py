"""What can differ from provider to provider: the columns of the table in dialects.py."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .shapes import Asked, Document, Json, Reply, Shape, rfc_error

ErrorReply = Callable[[str, str, int], Reply]  # from an RFC's error code, a sentence and a status


def opaque_token() -> str:
    """Return a token that nobody can guess, in no shape in particular."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Dialect:
    """One provider. Paths are relative to its prefix, `/NAME/`; lifetimes are in seconds.

    In a path, `vNN.0` stands for any version. `may_omit` are parameters that need not be sent, since they have
    one value alone; `issuer_path` is what the issuer has after the prefix.
    """

    name: str
    title: str
    color: str
    authorize: tuple[str, ...]
    token: tuple[str, ...]
    resources: Mapping[str, tuple[tuple[str, ...], Shape | Document]]  # endpoint: (its paths, its reply)
    scopes: Mapping[str, str]  # scope: what the consent page says
    token_reply: Callable[[str, float | None, tuple[str, ...], Asked], Json]
    error_reply: ErrorReply = rfc_error  # of the token endpoint
    resource_error: ErrorReply = rfc_error
    always_shared: tuple[str, ...] = ()  # what every app sees, in the words of the consent page
    refusal: str = "access_denied"
    refusal_details: tuple[tuple[str, str], ...] = ()  # what goes back to the app with it
    fragment: str = ""  # at the end of each address that a person is sent back to
    default_scopes: tuple[str, ...] = ()
    comma_in_scope: bool = False
    ignores_unknown_scopes: bool = False
    may_omit: tuple[str, ...] = ()
    client_authentication: tuple[str, ...] = ("basic", "body")
    token_methods: tuple[str, ...] = ("POST",)
    form_unless_json: bool = False  # token replies are forms unless Accept asks for JSON
    requires_pkce: bool = False
    sends_issuer: bool = False
    issuer_path: str = ""
    bearer_schemes: tuple[str, ...] = ("Bearer",)
    token_in_query: bool = False
    new_token: Callable[[], str] = opaque_token
    code_lifetime: float = 60.0
    token_lifetime: float | None = 3600.0
    differs: tuple[str, ...] = ()  # where this row is stricter or kinder than the real provider
