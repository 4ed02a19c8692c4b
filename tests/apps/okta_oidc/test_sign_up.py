"""Signing up at the provider, from okta_oidc."""


def test_signing_up_leads_to_the_dashboard(shared_app, browser):
    """A new user signs up at the provider and is logged in, without a form of the app."""
    browser.visit("/")
    browser.click("Log in with Okta")
    browser.click("Sign up")
    browser.fill_in(first_name="Hedy", last_name="Lamarr", email="hedy@example.com")
    browser.click("Sign up")
    browser.click("Allow")

    assert browser.url == f"{shared_app.url}/dashboard"
    assert "Welcome to the dashboard, Hedy!" in browser.text
    assert browser.is_logged_in_as("Hedy Lamarr")


def test_signs_up_in_chromium(shared_app, chrome):
    """By clicks from the home page to the dashboard, and to the log out at app and provider."""
    page = chrome.new_page()
    page.set_default_timeout(10_000)
    page.goto(shared_app.url)
    page.get_by_role("link", name="Log in with Okta").click()
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("First name").fill("Hedy")
    page.get_by_label("Last name").fill("Lamarr")
    page.get_by_label("E-mail").fill("hedy@example.com")
    page.get_by_role("button", name="Sign up").click()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(f"{shared_app.url}/dashboard")
    seen = [page.title(), page.locator("main p").first.inner_text(), page.locator("nav span").inner_text()]
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{shared_app.url}/?state=*")
    seen.append(page.title())
    page.get_by_role("link", name="Log in with Okta").click()
    seen.append(page.get_by_role("heading", level=1).inner_text())
    page.close()

    assert seen == ["Dashboard", "Welcome to the dashboard, Hedy!", "Logged in as Hedy Lamarr", "Home", "Who are you?"]
