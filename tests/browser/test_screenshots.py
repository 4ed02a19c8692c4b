"""The screenshots in docs/pictures are taken here, so that they show the current pages.

`python3 learn.py refresh --only pictures` stores them. In the suite they are taken too, and only their size is compared
with the stored ones: codes, states and times differ each time.
"""

import os
import struct

import pytest
from support.gallery import running_gallery
from support.manual_client import ManualClient

from tools.places import ROOT

PICTURES = ROOT / "docs" / "pictures"
MAX_BYTES = 100_000
WIDTH, HEIGHT, TALL = 960, 640, 900


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """The gallery, with the first three apps running, and two logins in the trace."""
    with running_gallery(
        tmp_path_factory.mktemp("gallery"), "step1_bootstrap", "step2_credentials", "step3_login"
    ) as gallery:
        for client, dialect, scope in (("okta-oidc", "okta", "openid"), ("step3-login", "simplelogin", "email")):
            manual_client = ManualClient(gallery.provider, client, dialect)
            manual_client.log_in(scope=scope, nonce="n" * 20 if dialect == "okta" else None)
            manual_client.session.close()
        yield gallery


def show_gallery(page, provider):
    page.goto(provider.url)


def show_login(page, provider):
    page.goto(f"{provider.url}/_trace")
    page.locator(".lanes").evaluate("lanes => lanes.scrollIntoView()")


def show_message(page, provider):
    page.goto(f"{provider.url}/_trace")
    opened = page.locator(".sequence > li > details", has_text="token request")
    opened.locator("summary").first.click()
    opened.evaluate("details => details.scrollIntoView()")


def show_comparison(page, provider):
    messages = provider.trace()
    first, last = (next(m["number"] for m in messages if m["dialect"] == name) for name in ("simplelogin", "okta"))
    page.goto(f"{provider.url}/_trace/compare?left={first}&right={last}")


def show_buttons(page, provider):
    page.goto(f"{provider.url}/_break?client_id=fake-step3-login")


SHOWN = {
    "gallery": show_gallery,
    "login": show_login,
    "message": show_message,
    "comparison": show_comparison,
    "break-it": show_buttons,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SHOWN)
def test_takes_each_screenshot(gallery, chrome, tmp_path, name, scheme):
    """Each screenshot can be taken, is small, and has the size of the one in docs/pictures."""
    where = PICTURES if os.environ.get("WRITE_PICTURES") else tmp_path
    height = TALL if name == "login" else HEIGHT
    context = chrome.new_context(viewport={"width": WIDTH, "height": height}, color_scheme=scheme)
    page = context.new_page()
    SHOWN[name](page, gallery.provider)
    page.screenshot(path=where / f"{name}-{scheme}.png")
    context.close()
    picture = (where / f"{name}-{scheme}.png").read_bytes()

    assert len(picture) < MAX_BYTES
    assert _size(picture) == _size((PICTURES / f"{name}-{scheme}.png").read_bytes())


def test_has_no_other_screenshot():
    """Every file in docs/pictures is taken here."""
    assert {file.stem for file in PICTURES.glob("*.png")} == {f"{n}-{s}" for n in SHOWN for s in ("light", "dark")}


def _size(png):
    return struct.unpack(">II", png[16:24])
