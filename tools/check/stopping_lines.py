"""Patterns of the lines in the apps that stop an attack, by row, for "What stops it" in docs/security.md.

Each pattern must match a line of an app that passes the row; tests/commands/test_check_engine.py checks that.
"""

from __future__ import annotations

STATE = r'^(if \S+ not in session or|return \S+ in session and) request\.args\.get\("state"\)'
SIGNED_LOGIN = r"^return login if login and login\[.state.\] == state"
USED_STATE = r"^if not use_state\(login\)"
ONE_PROVIDER = r'^if provider != session\.get\("oauth2_provider"\)'
BACK = (r"# the Back button, a bookmark",)
PKCE = (r'code_challenge_method="S256"', r'"code_challenge_method": "S256"', r"use_pkce ?= ?True")
STATUS = r"^if (reply|response)\.status_code [!=]= 200"

STOPPING_LINES: dict[str, tuple[str, ...]] = {
    "RP-02": (
        r"(state|verifier|nonce)\W{1,5}secrets\.token_urlsafe",
        r"state = oauth\.authorization_url",
        r"create_code_verifier",
    ),
    "RP-03": (STATE, SIGNED_LOGIN),
    "RP-04": (STATE, SIGNED_LOGIN),
    "RP-05": (STATE, SIGNED_LOGIN),
    "RP-06": (STATE, SIGNED_LOGIN),
    "RP-07": (*BACK, r"session\.pop\(.*state", r"^state = session\.pop", USED_STATE),
    "RP-08": (r"PERMANENT_SESSION_LIFETIME", r"^return login if time\.time\(\)", r"^for name in names_by_age\(\)"),
    "RP-09": (STATE, SIGNED_LOGIN),
    "RP-10": (*BACK, STATE, SIGNED_LOGIN),
    "RP-11": (r'@\w+\.post\("/logout"\)', r'SESSION_COOKIE_SAMESITE.*"Lax"', r"not is_same_origin\(\)"),
    "RP-12": (*BACK, r"session\.pop\(.*state", r"^state = session\.pop", USED_STATE),
    "RP-13": PKCE,
    "RP-14": (r'^if "error" in request\.args or', r"^def check_refusal"),
    "RP-15": (r"^if \"error\" in request\.args or", r"^if not request\.args\.get\(.code"),
    "RP-16": (r"len\(values\) > 1",),
    "RP-18": (r'headers\["Referrer-Policy"\]', r'headers\["Cache-Control"\]'),
    "RP-19": (r"TRUSTED_HOSTS", r"^REDIRECT_URI = URL", r"OIDC_OVERWRITE_REDIRECT_URI.:"),
    "RP-20": (r"request\.url\.removeprefix", r'^return redirect\(f"\{URL\}/\{'),
    "RP-22": PKCE,
    "RP-23": (STATE, SIGNED_LOGIN),
    "RP-24": (r'request\.args\.get\("iss"',),
    "RP-25": (ONE_PROVIDER, r'^key = f"\{request\.blueprint\}_oauth_state"'),
    "RP-26": (ONE_PROVIDER, r'^key = f"\{request\.blueprint\}_oauth_state"'),
    "RP-28": (STATUS, r"^has_error = "),
    "RP-29": (r"^except Exception as error",),
    "RP-31": (r"^if .*token_type",),
    "RP-33": (
        r"timeout=5",
        r"g\.user = session\.get",
        r"default_timeout=5",
        r"MAX_RESPONSE\b.*=",
        r"^raise TimeoutError",
    ),
    "RP-34": (r"allow_redirects=False", STATUS),
    "RP-35": (r"include_client_id=True", r"^options\[.auth.\]", r"Authorization.*Bearer"),
    "RP-36": (STATUS,),
    "RP-37": (r"^if not isinstance\(subject", r"^if type\(subject\) not in", r'^if not isinstance\(claims\["sub"\]'),
    "RP-38": (r'^if profile\.get\("sub"\) != user_id',),
    "RP-40": (r"startswith\(\(.https://", r"\{\{ user\.name"),
    "RP-41": (r"^return str\(value or .*\[:\d{2,3}\]", r"MAX_RESPONSE\b.*="),
    "RP-42": (r"^if claims is None",),
    "RP-43": (r'"id_token_signing_alg_values_supported"\] = ',),
    "RP-44": (r"parse_id_token",),
    "RP-45": (r'"id_token_signing_alg_values_supported"\] = ',),
    "RP-46": (r"parse_id_token",),
    "RP-47": (r"parse_id_token",),
    "RP-48": (r'^if claims\["aud"\] not in',),
    "RP-49": (r'^if abs\(time\.time\(\) - claims\["iat"\]\)', r"parse_id_token"),
    "RP-50": (r"parse_id_token",),
    "RP-51": (r'^if not isinstance\(claims\["sub"\]', r'claims\.get\("at_hash"'),
    "RP-55": (r'^if document\["issuer"\] != OKTA_ISSUER',),
    "RP-56": (r"^with provider_errors\(okta\):", r"url\.startswith"),
    "RP-57": (r"session_interface\.regenerate\(session\)", r"^session\.clear\(\)$"),
    "RP-58": (r"SESSION_COOKIE_SAMESITE.*Lax", r"SESSION_COOKIE_SECURE.*https", r"__Host-.*(URL|https)"),
    "RP-60": (r'headers\["Cache-Control"\]', r"^session\.clear\(\)"),
    "RP-61": (r"create_logout_url",),
    "RP-62": (r"or secrets\.token_hex\(\)", r'^if len\(setting\("SECRET_KEY"\)\)'),
    "RP-63": (r"request_scoped\(", r"^oauth = .*OAuth2Session"),
    "RP-64": (r"UniqueConstraint\(.provider.", r"filter_by\(provider=provider"),
    "RP-65": (r"filter_by\(provider=provider",),
    "RP-66": (r"filter_by\(provider=provider", r"return str\(subject\)", r"provider_user_id.: str"),
    "RP-67": (r"^requested = session\.pop", r"belongs to another account", r"^if len\(logins\) == 1"),
    "RP-68": (r"^@app\.errorhandler\(HTTPException\)", r"getLogger\(", r"^if .*INSECURE_TRANSPORT"),
}
