"""The same login flow in a terminal: without a web app, the user copies the authorization response from the browser.

New since app.py: nothing listens at the redirect URI, so the code is read from the address bar.
"""

import base64
import hashlib
import re
import secrets
import sys
from urllib.parse import parse_qsl, urlencode

import requests
from settings import optional, optional_url, provider_url, setting

GITHUB_ID = setting("GITHUB_ID")
GITHUB_SECRET = setting("GITHUB_SECRET")
GITHUB_URL = provider_url("GITHUB_URL")
GITHUB_API_URL = provider_url("GITHUB_API_URL")
GITHUB_ISSUER = optional_url("GITHUB_ISSUER")
REDIRECT_URI = optional("REDIRECT_URI") or "http://localhost:5000/login/github/authorized"


# The login


def main():
    state, code_verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    print(f"Authorization URL: {GITHUB_URL}/login/oauth/authorize?{authorization_request(state, code_verifier)}")
    print("Open it, allow, and copy the whole URL of the page that cannot be opened, or the code in it.")
    code = read_code(input("Enter the code: ").strip(), state)
    token = fetch_token(code, code_verifier)
    profile = send_request("GET", f"{GITHUB_API_URL}/user", headers={"Authorization": f"Bearer {token}"})
    print(f"You are {printable(profile['login'])} on GitHub")


def authorization_request(state, code_verifier):
    digest = hashlib.sha256(code_verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": GITHUB_ID,
        "redirect_uri": REDIRECT_URI,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return urlencode(query)


def fetch_token(code, code_verifier):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "client_id": GITHUB_ID,
        "client_secret": GITHUB_SECRET,
        "code_verifier": code_verifier,  # code injection: the code of another login is refused (RFC 7636 section 4.6)
    }
    return send_request("POST", f"{GITHUB_URL}/login/oauth/access_token", data=form)["access_token"]


# What makes it safe


def read_code(pasted, state):
    """Return the code of what was pasted: of the callback URL, of its query, or a code alone."""
    if not pasted:
        sys.exit("Nothing was pasted. Start again, and copy the URL after you have clicked Allow.")
    if "=" not in pasted:
        return pasted  # a code alone does not say to which login it belongs; the provider checks that by PKCE
    return check_response(dict(parse_qsl(pasted.partition("?")[2] or pasted)), state)


def check_response(response, state):
    """Return the code of an authorization response, once it is certain that it belongs to this login."""
    if response.get("state") != state:  # login CSRF: the response to another login (RFC 6749 section 10.12)
        sys.exit("This URL does not belong to this login. Start again, and copy the newest one.")
    if not response.get("code") and "error" not in response:
        sys.exit("There is no code in it. Start again, and copy the URL after you have clicked Allow.")
    if "error" in response:
        sys.exit(f"You did not allow the login, or GitHub refused it: {description(response)}")
    if response.get("iss") != GITHUB_ISSUER:  # mix-up attack (RFC 9207)
        sys.exit(f"The response came from another provider: {response.get('iss')!r}, expected was {GITHUB_ISSUER!r}.")
    return response["code"]


def send_request(method, url, headers=None, data=None):
    response = requests.request(
        method,
        url,
        headers={"Accept": "application/json", **(headers or {})},
        data=data,
        # An auth that does nothing: without one, requests would replace our token by a password from ~/.netrc.
        auth=lambda prepared: prepared,
        timeout=5,
        allow_redirects=False,  # a redirect would send code, secret or token to another URL
    )
    return read_json(response)


def read_json(response):
    fields = response.json()
    if "error" in fields:  # GitHub's errors have status 200
        sys.exit(f"GitHub did not accept the code, or does not know this app: {description(fields)}. Start again.")
    if response.status_code != 200:
        raise ValueError(f"{response.url} returned status {response.status_code}: {description(fields)}")
    return fields


def description(fields):
    """Return what the provider says is wrong. Only these are read, because an error response can hold a token."""
    names = ("error", "error_description", "message")
    return printable(": ".join(str(fields[name]) for name in names if name in fields))


def printable(text):
    """Return one line without control characters, which could write all over the terminal."""
    return "".join(filter(str.isprintable, text))[:300]


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nThe login was not finished.")
    except (requests.ConnectionError, requests.Timeout) as error:
        sys.exit(f"There is no response from {GITHUB_URL} ({type(error).__name__}). For practice: python3 learn.py")
    except Exception as error:  # a malformed response can lead to almost any exception
        reason = re.sub(r"Bearer .*|[\w-]{40,}", "(hidden)", repr(error))[:300]
        sys.exit(f"GitHub sent an unexpected response: {reason}")
