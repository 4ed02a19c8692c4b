"""okta_oidc's own settings."""

import pytest

from tools.check.apps import prepare

WRONG = {
    "the Admin Console": {"OKTA_ORG_URL": "https://integrator-1234567-admin.okta.com"},
    "an issuer without a scheme": {"OKTA_ISSUER": "integrator-1234567.okta.com/oauth2/default"},
    "an issuer in plain http": {"OKTA_ISSUER": "http://okta.example/oauth2/default"},
    "a token with a space": {"OKTA_AUTH_TOKEN": "00secret of-okta"},
    "a token with a letter of no header": {"OKTA_AUTH_TOKEN": "00secret-of-\u03b1"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_setting_stops_the_app(provider, tmp_path, wrong):
    """The app stops at the start with one sentence that names the setting, and has no secret."""
    public = {"URL": "https://app.example.com", "SECRET_KEY": "k" * 32, "OKTA_ORG_URL": "https://okta.example"}
    app = prepare("okta_oidc", provider, tmp_path, **{**public, **wrong})
    with pytest.raises(RuntimeError):
        app.start()
    (name,) = wrong

    assert app.log.startswith(name) and app.log.strip().count("\n") == 0
    assert "00secret" not in app.log


@pytest.mark.parametrize("name", ["OKTA_ORG_URL", "OKTA_ISSUER"])
def test_takes_a_slash_or_nothing(make_app, open_browser, provider, name):
    """A slash at the end of the organization's URL changes nothing, and neither does an empty issuer."""
    values = {"OKTA_ORG_URL": f"{provider.url}/okta/", "OKTA_ISSUER": ""}
    browser = open_browser(make_app("okta_oidc", **{name: values[name]}))
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
