"""What differs between providers stands in this table; what is the same is written once, elsewhere.

To add a provider, add a row and its practice clients. No rule has to know of it.
"""

from __future__ import annotations

from . import okta_users
from . import shapes_facebook as facebook
from . import shapes_github as github
from . import shapes_google as google
from . import shapes_okta as okta
from . import shapes_simplelogin as simplelogin
from . import shapes_x as x
from .dialect import Dialect, OpenId
from .differences import DIFFERENCES
from .shapes import Api, Document, KeySet

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
            "keys": (("oauth2/v3/certs",), KeySet()),
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
        openid=OpenId(google.id_token, google.PROMPTS, scopes=google.IDENTITY, tells_auth_time=False),
        offline=("access_type", "offline"),
        offline_once=True,
        rotates_refresh_tokens=False,
        revocation=("revoke",),
        revokes_all=True,
        revokes_for_anybody=True,
        differs=DIFFERENCES["google"],
    ),
    Dialect(
        name="x",
        title="X",
        color="#0f1419",
        authorize=("i/oauth2/authorize",),
        token=("2/oauth2/token",),
        resources={"me": (("2/users/me",), x.me)},
        scopes={
            "tweet.read": "the posts that you can see, and so your profile",
            "users.read": "the accounts that you can see, and so your profile",
            "users.email": "your confirmed e-mail address",
            "offline.access": "all this while you are away as well",
        },
        token_reply=x.token,
        error_reply=x.token_error,
        resource_error=x.api_error,
        client_authentication=("basic",),
        requires_pkce=True,
        new_token=x.new_token,
        code_lifetime=30.0,
        token_lifetime=7200.0,
        differs=DIFFERENCES["x"],
    ),
    Dialect(
        name="okta",
        title="Okta",
        color="#4740d4",
        authorize=(f"{okta.SERVER}/v1/authorize",),
        token=(f"{okta.SERVER}/v1/token",),
        resources={
            "userinfo": ((f"{okta.SERVER}/v1/userinfo",), okta.userinfo),
            "discovery": ((f"{okta.SERVER}/.well-known/openid-configuration",), Document(okta.discovery)),
            "keys": ((f"{okta.SERVER}/v1/keys",), KeySet()),
            "user": (("api/v1/users/ID",), Api(okta_users.user)),
        },
        scopes=okta.SCOPES,
        requires=("scope", "state"),
        token_reply=okta.token,
        error_reply=okta.token_error,
        resource_error=okta.userinfo_error,
        issuer_path=okta.SERVER,
        openid=OpenId(okta.id_token, okta.PROMPTS),
        offline=("scope", "offline_access"),
        revocation=(f"{okta.SERVER}/v1/revoke",),
        logout=(f"{okta.SERVER}/v1/logout",),
        sign_up=("signin/register",),
        differs=DIFFERENCES["okta"],
    ),
)

BY_NAME: dict[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}
