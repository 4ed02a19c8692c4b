"""Messages for tests of the trace: the arguments of `Trace.add` for an authorization request and a token request."""

AUTHORIZATION_REQUEST = {
    "dialect": "google",
    "endpoint": "authorization",
    "channel": "front",
    "client_id": "app",
    "method": "GET",
    "path": "/",
    "query": [],
    "form": [],
    "headers": [],
    "status": 200,
    "response_headers": [],
    "body": "",
}
KEYS_REQUEST = AUTHORIZATION_REQUEST | {"endpoint": "keys", "channel": "back", "client_id": None}
TOKEN_REQUEST = AUTHORIZATION_REQUEST | {
    "dialect": "simplelogin",
    "endpoint": "token",
    "channel": "back",
    "method": "POST",
    "path": "/simplelogin/oauth2/token",
    "form": [("code", "c"), ("grant_type", "authorization_code")],
    "headers": [("Accept", "application/json")],
    "body": '{"access_token": "t"}',
}
