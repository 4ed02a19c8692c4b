"""The developer console, where a reader registers an app: over real HTTP."""

import pytest
from support.dialect_client import OKTA, SIMPLELOGIN


def test_registers_and_removes_an_app(simplelogin):
    """A registered app has an id and a secret, logs users in, and can be removed."""
    form = {"name": "Mine & yours", "redirect_uris": SIMPLELOGIN.redirect_uri}
    page = simplelogin.session.post(f"{simplelogin.url}/developer", form, timeout=5)
    client_id = page.url.rsplit("/", 1)[1]

    assert "Mine &amp; yours" in page.text
    assert "code" in simplelogin.authorization_response(client_id=client_id)
    simplelogin.session.post(page.url, timeout=5)
    assert simplelogin.session.get(page.url, timeout=5).status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"name": "", "redirect_uris": SIMPLELOGIN.redirect_uri},
        {"name": "Mine", "redirect_uris": "http://evil.example/"},
    ],
)
def test_explains_a_wrong_field(simplelogin, form):
    """The form comes back filled in, with a sentence beside the wrong field."""
    page = simplelogin.session.post(f"{simplelogin.url}/developer", form, timeout=5)

    assert page.status_code == 400
    assert 'aria-invalid="true"' in page.text
    assert all(value in page.text for value in form.values())


def test_registers_post_logout_redirect_uris(new_client):
    """At Okta a reader's app has post-logout redirect URIs too, and plain http is accepted only for localhost."""
    okta = new_client(OKTA)
    form = {
        "name": "Mine",
        "redirect_uris": OKTA.redirect_uri,
        "post_logout_redirect_uris": "http://localhost:5000/bye",
    }
    page = okta.session.post(f"{okta.url}/developer", form, timeout=5)
    wrong = okta.session.post(
        f"{okta.url}/developer", {**form, "post_logout_redirect_uris": "http://evil.example/"}, timeout=5
    )

    assert "http://localhost:5000/bye" in page.text
    assert (wrong.status_code, "Plain http is for localhost alone" in wrong.text) == (400, True)
