"""What goes wrong without a parameter, in a sentence each; and which values are secrets."""

from __future__ import annotations

WITHOUT: dict[str, str] = {
    "response_type": "Without it the provider does not know which flow is meant, and refuses.",
    "client_id": "Without it nobody can say who is asking, and the person is shown an error.",
    "redirect_uri": "Without it an app with several addresses gets no answer. Unchecked, anybody could name one.",
    "scope": "Without it the app gets what the provider gives to everybody, mostly only who somebody is.",
    "state": "Without it somebody can hand you a link that logs you into their account, and you would not notice.",
    "code_challenge": "Without it a code that was read on the way can be put into a login of the thief's own.",
    "code_challenge_method": "Without it the challenge is the verifier itself, and whoever reads one has both.",
    "code_verifier": "Without it the challenge protects nothing: the provider has to refuse the code.",
    "nonce": "Without it an ID token from another login can be slipped into this one.",
    "prompt": "Without it the provider decides by itself whether to ask.",
    "code": "Without it there is nothing to exchange. Whoever has it, and the secret, is logged in as this person.",
    "iss": "Without it an app with two providers can be made to send the code of one to the other.",
    "error_description": "Without it the developer has to guess.",
    "grant_type": "Without it the token endpoint does not know what is offered to it, and refuses.",
    "client_secret": "Without it anybody who has the code could exchange it.",
    "access_token": "Without it the profile stays closed. Whoever finds it can read the profile too.",
    "token_type": "Without it the app has to guess how the token is sent.",
    "expires_in": "Without it the app learns of the end only when a request is refused.",
    "refresh_token": "Without it the person is asked again when the access token ends.",
    "id_token": "Without it the app has only an access token, which does not say whom it was given to.",
    "Authorization": "Without it the request is refused: the provider does not know who asks.",
    "Location": "Without it the browser stays where it is.",
}  # fmt: skip

SECRETS = frozenset(
    {
        "access_token", "Authorization", "client_assertion", "client_secret", "code", "code_verifier", "id_token",
        "id_token_hint", "refresh_token", "token",
    }
)  # fmt: skip
