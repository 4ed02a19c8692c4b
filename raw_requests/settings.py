"""The settings, from the environment or `.env`, parsed before they are used; a wrong one stops the app in a sentence.

New since step 3: a file of their own, because app.py, providers.py and models.py read them.
"""

import os
import re
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import load_dotenv

here = Path(__file__).parent
try:  # one file, never both: practice values must not fill the gaps between real ones
    load_dotenv(here / (".env" if (here / ".env").exists() else ".env.example"), encoding="utf-8-sig")
except (OSError, ValueError):
    sys.exit(".env cannot be read: save it as plain text in UTF-8.")


def optional(name):
    return os.environ.get(name, "").strip()  # an empty setting is the same as a missing one


def setting(name):
    return optional(name) or sys.exit(f"{name} is missing: set it in .env, as .env.example shows.")


def provider_url(name):
    check_provider_url(name, setting(name))
    return setting(name).rstrip("/")


def optional_url(name):
    """Return a URL of the provider, or None without this setting."""
    if optional(name):
        check_provider_url(name, optional(name))
    return optional(name) or None


PORT = optional("PORT") or "5000"
URL = (optional("URL") or f"http://localhost:{PORT}").lower().rstrip("/")


# What makes it safe: settings


def check_port():
    """Stop the app with a sentence if PORT cannot be used."""
    if not re.fullmatch("[1-9][0-9]{0,4}", PORT) or int(PORT) > 65535:
        sys.exit(f"PORT is {PORT!r}: write a number from 1 to 65535, such as 5000.")


def is_url(text):
    """Tell whether a text is a whole http or https URL."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # the port is not a number, or too large
        return False
    host = re.fullmatch(r"([\w-]{1,63}\.)*[\w-]{1,63}|::1", parts.hostname or "", re.ASCII)
    return bool(parts.scheme in ("http", "https") and host and port != 0 and not re.search(r"[\s@#]", text))


def check_own_url():
    """Stop the app if URL cannot be used: the redirect URI and the cookies would be wrong."""
    if not is_url(URL) or not re.fullmatch("https?://[a-z0-9._-]+(:[1-9][0-9]*)?", URL):
        sys.exit(f"URL is {URL!r}: write scheme, host and port, such as https://your.host or http://localhost:5000.")


def check_provider_url(name, url):
    """Stop the app if a URL of the provider cannot be used, or if code, secret and token would not be encrypted."""
    if not is_url(url):
        sys.exit(f"{name} is {url!r}: write a whole URL, such as https://provider.example/path.")
    near = on_this_machine or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    if urlsplit(url).scheme == "http" and not near:
        sys.exit(f"{name} is {url!r}: write an https URL. Plain http is for practice on this machine.")


def secret_key():
    """Return the key that signs the session cookie: anyone who has it can forge a session for any user."""
    if on_this_machine:
        return optional("SECRET_KEY") or secrets.token_hex()  # random for practice
    if len(setting("SECRET_KEY")) < 32:  # it could be guessed
        sys.exit('SECRET_KEY is too short: python -c "import secrets; print(secrets.token_hex())" prints a good one.')
    return setting("SECRET_KEY")


check_port()
check_own_url()
https = URL.startswith("https")
on_this_machine = urlsplit(URL).hostname in ("localhost", "127.0.0.1")
origin = URL.removesuffix(":443" if https else ":80")  # as browsers write it
