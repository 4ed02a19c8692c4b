"""The dance in a terminal: without a web app, the person carries GitHub's answer over from the browser.

New since app.py: nothing listens at the redirect address, so the code is read off the browser's address bar.
"""

import base64
import hashlib
import os
import secrets
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import requests
from dotenv import load_dotenv

here = Path(__file__).parent
load_dotenv(here / ".env") or load_dotenv(here / ".env.example")


def setting(name):
    return os.environ.get(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


GITHUB_ID = setting("GITHUB_ID")
GITHUB_SECRET = setting("GITHUB_SECRET")
GITHUB_URL = setting("GITHUB_URL")
GITHUB_API_URL = setting("GITHUB_API_URL")
REDIRECT_URI = os.environ.get("REDIRECT_URI") or "http://localhost:5000/login/github/authorized"


def main():
    state = secrets.token_urlsafe(32)
    code_verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(code_verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": GITHUB_ID,
        "redirect_uri": REDIRECT_URI,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    print(f"Authorization URL: {GITHUB_URL}/login/oauth/authorize?{urlencode(query)}")
    print("Open it, allow, and copy the whole address of the page that cannot be opened, or the code in it.")
    code = read_answer(input("Enter the code: ").strip(), state)

    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "client_id": GITHUB_ID,
        "client_secret": GITHUB_SECRET,
        "code_verifier": code_verifier,  # a code that another login has asked for ends here (RFC 7636 section 4.6)
    }
    token = ask("POST", f"{GITHUB_URL}/login/oauth/access_token", data=form)["access_token"]
    profile = ask("GET", f"{GITHUB_API_URL}/user", headers={"Authorization": f"Bearer {token}"})
    # A name is text from outside: control characters in it would write all over the terminal.
    print("You are " + "".join(filter(str.isprintable, profile["login"])) + " on GitHub")


def read_answer(pasted, state):
    if not pasted:
        sys.exit("Nothing was pasted. Begin again, and copy the address after you have clicked Allow.")
    if "=" not in pasted:
        return pasted  # a code alone says nothing about its login; PKCE has the provider see to that
    answer = dict(parse_qsl(pasted.partition("?")[2] or pasted))
    if answer.get("state") != state:  # the answer to another login (RFC 6749 section 10.12)
        sys.exit("This address does not belong to this login. Begin again, and copy the newest one.")
    if not answer.get("code") and "error" not in answer:
        sys.exit("There is no code in it. Begin again, and copy the address after you have clicked Allow.")
    if answer.get("iss") != f"{GITHUB_URL}/login/oauth":  # another provider's (RFC 9207)
        sys.exit("This address comes from another provider.")
    if "error" in answer:
        sys.exit("You did not allow the login, or GitHub refused it.")
    return answer["code"]


def ask(method, url, headers=None, data=None):
    with requests.Session() as http:
        http.trust_env = False  # or a password for this host in ~/.netrc would take the place of our token
        headers = {"Accept": "application/json", **(headers or {})}
        reply = http.request(method, url, headers=headers, data=data, timeout=5, allow_redirects=False)
    answer = reply.json()
    if "error" in answer:  # GitHub's errors have status 200
        sys.exit("GitHub did not accept the code: it may be mistyped, too old, or of another login. Begin again.")
    if reply.status_code != 200:
        raise ValueError(f"status {reply.status_code}")
    return answer


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nNobody was logged in.")
    except (requests.ConnectionError, requests.Timeout):
        sys.exit(f"Nobody answers at {GITHUB_URL}. For practice start the fake provider: python3 learn.py")
    except Exception as error:  # what a malformed reply leads to is as various as the ways to be malformed
        sys.exit(f"GitHub gave an answer that cannot be used: {error!r:.200}")
