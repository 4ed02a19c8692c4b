"""What differs between providers stands in this table; what is the same is written once, elsewhere.

To add a provider, add a row and its practice clients. No rule has to know of it.
"""

from __future__ import annotations

from . import shapes_facebook as facebook
from . import shapes_github as github
from . import shapes_google as google
from . import shapes_simplelogin as simplelogin
from .dialect import Dialect
from .differences import DIFFERENCES
from .shapes import Document

__all__ = ["BY_NAME", "DIALECTS", "Dialect"]

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        name="simplelogin",
        title="SimpleLogin",
        color="#be1e6b",
        authorize=("oauth2/authorize",),
        token=("oauth2/token",),
        resources={"userinfo": (("oauth2/userinfo",), simplelogin.user)},
        scopes={
            "email": "your e-mail address",
            "name": "your name",
            "avatar_url": "your picture",
        },
        always_shared=("see your name, e-mail address and picture",),
        token_reply=simplelogin.token,
        refusal="deny",
        differs=DIFFERENCES["simplelogin"],
    ),
    Dialect(
        name="facebook",
        title="Facebook",
        color="#0866ff",
        authorize=("www/dialog/oauth", "www/vNN.0/dialog/oauth"),
        token=("graph/oauth/access_token", "graph/vNN.0/oauth/access_token"),
        resources={"me": (("graph/me", "graph/vNN.0/me"), facebook.me)},
        scopes={
            "public_profile": "your public profile",
            "email": "your e-mail address",
        },
        always_shared=("see your name and picture",),
        token_reply=facebook.token,
        error_reply=facebook.token_error,
        resource_error=facebook.graph_error,
        refusal_details=(
            ("error_code", "200"),
            ("error_description", "Permissions error"),
            ("error_reason", "user_denied"),
        ),
        fragment="#_=_",
        default_scopes=("public_profile",),
        comma_in_scope=True,
        may_omit=("response_type", "grant_type"),
        client_authentication=("body",),
        token_methods=("GET", "POST"),
        token_in_query=True,
        new_token=facebook.new_token,
        token_lifetime=5_183_944.0,
        differs=DIFFERENCES["facebook"],
    ),
    Dialect(
        name="github",
        title="GitHub",
        color="#1f883d",
        authorize=("login/oauth/authorize",),
        token=("login/oauth/access_token",),
        resources={
            "user": (("api/user",), github.user),
            "emails": (("api/user/emails",), github.emails),
        },
        scopes={
            "user": "your whole profile and all your e-mail addresses",
            "read:user": "your whole profile",
            "user:email": "all your e-mail addresses",
        },
        always_shared=("see your public profile",),
        token_reply=github.token,
        error_reply=github.token_error,
        resource_error=github.api_error,
        refusal_details=github.ACCESS_DENIED,
        comma_in_scope=True,
        ignores_unknown_scopes=True,
        may_omit=("response_type", "grant_type"),
        form_unless_json=True,
        sends_issuer=True,
        issuer_path="login/oauth",
        bearer_schemes=("Bearer", "token"),
        new_token=github.new_token,
        code_lifetime=600.0,
        token_lifetime=None,
        differs=DIFFERENCES["github"],
    ),
    Dialect(
        name="google",
        title="Google",
        color="#ea4335",
        authorize=("o/oauth2/auth", "o/oauth2/v2/auth"),
        token=("o/oauth2/token", "token"),
        resources={
            "userinfo": (("oauth2/v3/userinfo", "v1/userinfo"), google.userinfo),
            "discovery": ((".well-known/openid-configuration",), Document(google.discovery)),
        },
        scopes={
            "openid": "who you are at Google",
            "email": "your e-mail address",
            "profile": "your name and picture",
            google.NAMES["email"]: "your e-mail address",
            google.NAMES["profile"]: "your name and picture",
        },
        always_shared=("tell you apart from other people",),
        token_reply=google.token,
        error_reply=google.token_error,
        resource_error=google.userinfo_error,
        sends_issuer=True,
        new_token=google.new_token,
        token_lifetime=3599.0,
        differs=DIFFERENCES["google"],
    ),
)

BY_NAME: dict[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}
