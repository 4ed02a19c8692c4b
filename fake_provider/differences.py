"""Where a dialect is stricter or kinder than the real provider, in sentences for its page."""

from __future__ import annotations

DIFFERENCES: dict[str, tuple[str, ...]] = {
    "simplelogin": (
        "The real one ignores PKCE. Here a code that was asked for with a challenge needs its verifier.",
        "The real one answers a wrong token request with a sentence in error. Here it is the RFC's code.",
        "The real one answers a wrong access token with status 400. Here it is 401, as RFC 6750 has it.",
        "The real one always has an e-mail address. Here Emmy has none, and Mallory's is not verified.",
    ),
    "facebook": (
        "The real one documents PKCE as a test, with the scope openid. Here it works with any scope, S256 alone.",
        "The real one has scope openid and ID tokens. Here there are none, and openid is an unknown scope.",
        "The real one has many more scopes and fields, and fields inside fields. Here are those of a login.",
        "The real one shows a page of its own for an unknown scope. Here the app hears invalid_scope.",
        "The real one gives each app another id for the same person. Here the id is the same for all.",
        "The real one lets people take single scopes off the list. Here they allow all or nothing.",
        "Mallory's address is not hers, and no member says so. Of the real one's, only that it is valid is promised.",
        "Errors are those that were seen in public; for a wrong verifier none was. An expired code counts as unknown.",
        "Every version vNN.0 is answered alike, and versions do not end.",
    ),
    "github": (
        "The real one does without redirect_uri at the token endpoint. Here it must come again if it came before.",
        "The real one also sends people to addresses below the registered one. Here the two are compared exactly.",
        "The real one knows Accept: application/xml. Here the reply is a form or JSON.",
        "The real one says nothing in its documentation about a wrong verifier. Here it is bad_verification_code.",
        "The real one answers some wrong client ids with status 404. Here it is 200, as documented.",
        "The real one has many more scopes. Here are those of a login.",
        "The addresses inside the profile lead nowhere here, and there are no rate limits.",
        "A token ends after 30 days here. The real one's ends when nobody has used it for a year.",
    ),
    "google": (
        "The real one answers a token that it does not know with an error when it is revoked. Here it is 200, as "
        "RFC 7009 has it.",
        "The real one knows more claims and parameters, such as hd and include_granted_scopes. Here nobody reads them.",
        "The real one also sends scope, authuser and prompt back to the app. Here they are left out.",
        "The real one shows a page of its own for a wrong scope or response type. Here the app hears of it.",
        "The real one refuses a request without scope. Here it is allowed, and gives the subject alone.",
        "The real one takes the PKCE method plain. Here it is S256 alone.",
        "The real one always has an e-mail address, and gives the picture with the scope email as well.",
        "The real one has an address for each job. Here all are below one prefix.",
    ),
    "x": (
        "The real one refuses the redirect URI http://localhost. Here it may be localhost as well as 127.0.0.1.",
        "The real one also knows public clients, without a secret. Here every app authenticates by Basic.",
        "The real one takes the PKCE method plain. Here it is S256 alone.",
        "The real one shows a page of its own for a request that it does not like. Here the app hears of it.",
        "The real one gives a refresh token with offline.access. Here that scope opens nothing.",
        "The real one's words for a missing verifier were not to be found, nor for an unknown app. Here they are ours.",
        "The real one has many more scopes and fields. Here are those of a login, and expansions are read by nobody.",
        "What the real one does with confirmed_email when nobody allowed it is not documented. Here it is left out.",
        "The real one limits how often an app may ask. Here there are no limits.",
    ),
    "okta": (
        "The real one asks for consent only where an app or a scope is set so. Here the person is always asked once.",
        "The real one's access tokens are signed and can be read. Here they are random: no app should look inside.",
        "The real one rotates refresh tokens where the app is set so, with some grace. Here always, with none.",
        "The real one knows more grant types, response modes and ways to authenticate. Here are those of a login.",
        "The real one has the scopes phone and address, and groups once somebody sets it up. Here groups is Everyone.",
        "The real one always has an e-mail address. Here Emmy has none.",
        "The real one's Users API does all that an administrator can. Here it reads one user, by id or by login.",
        "The links in a user object lead nowhere here, and there are no rate limits.",
        "The real one has each org's own sign-up form, and can ask for a click in a mail. Here nothing is sent.",
        "For a wrong redirect_uri the real one's words were not to be found, nor for a refusal. Here they are ours.",
    ),
}
