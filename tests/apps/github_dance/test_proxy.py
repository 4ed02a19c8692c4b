"""The app behind a proxy that has the certificate."""

import secrets
from threading import Thread

import pytest
import requests
from bs4 import BeautifulSoup
from support.flask_dance_logins import FOLDER
from werkzeug.serving import make_server, make_ssl_devcert
from werkzeug.wrappers import Request, Response


@pytest.fixture
def x_over_https(provider, tmp_path):
    """The settings of an app that uses only https with X, and is registered there with a URL of its own."""
    form = {"name": "Behind a tunnel", "redirect_uris": "https://tunnel.example/login/twitter/authorized"}
    page = requests.post(f"{provider.url}/x/developer", form, timeout=5)
    client_id, client_secret = [field["value"] for field in BeautifulSoup(page.text, "lxml").select("input[readonly]")]
    certificate, key = make_ssl_devcert(str(tmp_path / "provider"), host="localhost")

    @Request.application
    def forward(request):
        headers = {name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type")}
        url = f"{provider.url}{request.full_path}"
        response = requests.request(request.method, url, data=request.get_data(), headers=headers, timeout=5)
        return Response(response.content, response.status_code, content_type=response.headers["Content-Type"])

    server = make_server("127.0.0.1", 0, forward, threaded=True, ssl_context=(certificate, key))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield {
        "TWITTER_ID": client_id,
        "TWITTER_SECRET": client_secret,
        "GITHUB_URL": f"{provider.url}/github".replace("http://", "https://"),
        "GITHUB_API_URL": f"{provider.url}/github/api".replace("http://", "https://"),
        "TWITTER_URL": f"{provider.url}/x".replace("http://", "https://"),
        "TWITTER_API_URL": f"https://localhost:{server.port}/x",
        "OAUTHLIB_INSECURE_TRANSPORT": "",
        "REQUESTS_CA_BUNDLE": certificate,
    }
    server.shutdown()
    thread.join()
    server.server_close()
    requests.post(page.url, timeout=5)


def test_logs_in_behind_a_proxy(make_app, provider, x_over_https):
    """The app is reached over http and is public under https: the response counts as it came to the proxy."""
    app = make_app(FOLDER, URL="https://tunnel.example", SECRET_KEY=secrets.token_hex(), **x_over_https)
    headers = {"Host": "tunnel.example"}

    def get_from_app(url):
        url = app.url + url.removeprefix("https://tunnel.example")
        response = requests.get(url, headers=headers, allow_redirects=False, timeout=20)
        if "Set-Cookie" in response.headers:
            headers["Cookie"] = response.headers["Set-Cookie"].split(";")[0]
        return response

    to_provider = get_from_app("/login/twitter").headers["Location"].replace("https://", "http://")
    with requests.Session() as browser:
        for clicked in ({"person": "ada"}, {"decision": "allow"}):
            callback_url = browser.post(to_provider, clicked, allow_redirects=False, timeout=5).headers["Location"]
    landed = get_from_app(callback_url)

    assert (landed.status_code, landed.headers["Location"]) == (302, "/")
    assert "; Secure" in landed.headers["Set-Cookie"]
    assert "Logged in as Ada Lovelace" in get_from_app("/").text
