"""A login of okta_oidc at a certified OpenID provider."""

import json
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress

from conftest import needs
from support.okta_login import CLIENT_ID

from fake_provider import free_port
from tools.check.apps import prepare, wait_for
from tools.places import ROOT


@contextmanager
def certified_provider(app_url):
    """Run npm's oidc-provider, which the OpenID Foundation has certified, and yield its issuer."""
    node, npm = needs("node", "node"), needs("node", "npm")
    home, stamp = ROOT / ".learn" / "node_op", ROOT / ".learn" / "node_op" / "installed"
    shutil.copytree(ROOT / "tests" / "clients" / "oidc_provider", home, dirs_exist_ok=True)
    lock = (home / "package-lock.json").read_bytes()
    if not stamp.exists() or stamp.read_bytes() != lock:
        subprocess.run([npm, "ci", "--silent"], cwd=home, check=True, timeout=300)
        stamp.write_bytes(lock)
    port = free_port()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": "fake-secret-of-okta-oidc",
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [f"{app_url}/oidc/callback"],
        "post_logout_redirect_uris": [f"{app_url}/"],
    }
    command = [node, "provider.mjs", json.dumps({"port": port, "client": client})]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_listening(port), "oidc-provider to respond")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def is_listening(port):
    """Tell whether a server listens on this port."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True


def test_logs_in_at_a_certified_provider(provider, tmp_path, open_browser):
    """The settings that change are the issuer and the API token: no other provider has Okta's Users API."""
    app = prepare("okta_oidc", provider, tmp_path)
    with certified_provider(app.url) as issuer:
        app.environment.update(OKTA_ISSUER=issuer, OKTA_AUTH_TOKEN="")
        app.start()
        browser = open_browser(app)
        browser.visit("/dashboard?a=1")
        browser.fill_in(login="ada", password="any")
        browser.click("Sign-in")
        browser.click("Continue")
        landed = (browser.url, browser.is_logged_in_as("Somebody"))
        browser.click("Log out")
        text = browser.text
        app.stop()

    assert landed == (f"{app.url}/dashboard?a=1", True)
    assert "Do you want to sign-out" in text
