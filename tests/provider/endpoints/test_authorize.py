"""The authorization endpoint: the check that comes before those of the protocol."""

import pytest
import requests

QUERY = "client_id=fake-step3-login&redirect_uri=http://localhost:5000/callback&response_type=code"
FOREIGN = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]


@pytest.mark.parametrize("form", [{"person": "ada"}, {"decision": "allow"}], ids=str)
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_accepts_no_form_of_another_site(provider, form, headers):
    """CSRF: another site's form neither signs a user in nor allows an app; the provider's own form is the control."""
    url = f"{provider.url}/simplelogin/oauth2/authorize?{QUERY}"
    foreign = requests.post(url, form, headers=headers, timeout=5, allow_redirects=False)
    own = requests.post(url, form, headers={"Origin": provider.url}, timeout=5, allow_redirects=False)

    assert (foreign.status_code, "Set-Cookie" in foreign.headers) == (403, False)
    assert own.status_code in (200, 303)
