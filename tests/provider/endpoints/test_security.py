"""The checks of Host and Origin: CSRF and DNS rebinding are refused at the provider's own pages and at its trace."""

import pytest

FOREIGN = [
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/_reset", "/_faults", "/simplelogin/developer", "/simplelogin/"])
def test_refuses_forms_of_other_sites(provider, session, path, headers):
    """CSRF: a form of another site, or under a foreign host name, is refused; the provider's own is accepted."""
    response = session.post(provider.url + path, headers=headers, timeout=5)

    assert response.status_code in (400, 403)
    own = session.post(provider.url + path, headers={"Origin": provider.url}, timeout=5)
    assert own.status_code in (200, 400, 415)
    assert "came from" not in own.text


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_accepts_the_host_names_of_localhost(provider, session, name):
    """A browser reaches the provider by localhost and by both of its IP addresses."""
    for path in ("/_trace", "/simplelogin/oauth2/userinfo"):
        response = session.get(provider.url + path, headers={"Host": f"{name}:{provider.port}"}, timeout=5)
        assert response.status_code in (200, 401)


@pytest.mark.parametrize("name", ["[::2]", "localhost.evil.example", "evil.example:localhost", "x@localhost", "127.1"])
def test_refuses_similar_host_names(provider, session, name):
    """DNS rebinding: a host name that only looks like localhost is refused."""
    for path in ("/_trace", "/simplelogin/oauth2/userinfo"):
        assert session.get(provider.url + path, headers={"Host": name}, timeout=5).status_code == 400


def test_refuses_the_trace_to_a_foreign_host(provider, session):
    """DNS rebinding: the trace contains secrets, and a request under a foreign host name does not get it."""
    assert session.get(f"{provider.url}/_trace", headers={"Host": "evil.example"}, timeout=5).status_code == 400
    assert session.get(f"{provider.url}/_trace", timeout=5).json()["messages"] == []
