"""Property tests with Hypothesis: any query, token response, profile or claims, sent to every app at once.

The app always responds with a page, in time, without an error of its own, and never names a user who has not consented
in this browser. By default Hypothesis tries 25 examples of each test, with `CI=true` 200, and with
`HYPOTHESIS_PROFILE=weekly` 10,000.
"""

import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tools.check.browser import target_host
from tools.check.checked_app import ADA, GRACE, MALLORY, assert_no_crash, parameters
from tools.check.engine import all_checked_apps
from tools.check.probes import LOGGED_IN
from tools.check.relay import respond_with, send_response
from tools.check.user_data import subject_of, with_subject

# No deadline: an example is a login over HTTP, whose duration depends on the load of the machine; the browser has a
# timeout of its own. The examples are the same each time, so that a failure comes from the change that is tested.
full = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("full", full)
settings.register_profile("quick", full, max_examples=25)
settings.register_profile("weekly", full, max_examples=10_000, derandomize=False)
chosen = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "full" if os.environ.get("CI") else "quick"))

texts = st.text(max_size=30) | st.sampled_from(
    ["\0", "\r\nX: y", "é" * 300, "%00", "//evil.example", "<script>", "None"]
)
numbers = st.integers(-(10**20), 10**20) | st.floats(allow_nan=True, allow_infinity=True)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def members(*names):
    """Return a strategy for JSON objects that have some of these members, with any values."""
    return st.dictionaries(st.sampled_from(names) | texts, json_values, max_size=8)


@pytest.fixture(scope="module")
def checked_apps(tmp_path_factory):
    """Every login app, after one successful login."""
    with all_checked_apps(tmp_path_factory.mktemp("properties")) as ready:
        for checked in ready:
            checked.successful_login  # noqa: B018 - learns endpoints and profile
        yield ready


@pytest.fixture
def to_all(checked_apps, request):
    """A function that runs an action on all apps, or on some, side by side, and stores where their outcomes differ."""
    differences = Counter()

    def do(action, choose=lambda checked: True):
        targets = [checked for checked in checked_apps if choose(checked)]
        assert targets
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(action, targets))
        groups = {}
        for checked, outcome in zip(targets, outcomes, strict=True):
            groups.setdefault(outcome, []).append(checked.name)
        if len(groups) > 1:
            smallest = min(groups.items(), key=lambda group: len(group[1]))
            differences[f"{request.node.name}: {', '.join(smallest[1])}: {smallest[0]}, and not by the others"] += 1

    yield do
    found = request.config.stash.setdefault(request.config.disagreements, [])
    found += [f"{times} times, {difference}" for difference, times in differences.most_common(5)]


def outcome_of(checked, browser, page, *allowed):
    """Check what every response must be, and return the outcome in a word."""
    assert_no_crash(page)
    found = checked.logged_in_name(browser)
    assert found is None or found.startswith(allowed), f"{checked.name} names {found!r}, who has not consented"
    assert not browser.dropped, f"{checked.name} sets a cookie that browsers drop"
    return "refused" if found is None else "logged in"


def callback_url_for(checked, browser, code):
    """Return a callback URL for a login of this browser, with a code that only the relay knows."""
    response = {"code": code, "state": parameters(checked.begin_login(browser))["state"]}
    if checked.has_iss:
        response["iss"] = checked.response_parameters["iss"]
    return f"{checked.redirect_uri}?{urlencode(response)}"


names_of_parameters = (
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "access_token",
    "id_token",
    "next",
    "scope",
)
queries = st.lists(st.tuples(st.sampled_from(names_of_parameters) | texts, texts | st.just("RIGHT")), max_size=6)


@chosen
@given(query=queries, begun=st.booleans())
@example(query=[("state", "RIGHT"), ("code", "\ud7ff")], begun=True)
@example(query=[("state", "RIGHT"), ("code", "x"), ("code", "y")], begun=True)
def test_any_query_gets_a_page(to_all, query, begun):
    """Any query of the callback gets a page, and logs no user in."""

    def send(checked):
        browser = checked.new_browser()
        right = callback_url_for(checked, browser, "unknown") if begun else ""
        fields = [(name, parameters(right).get(name, "x") if value == "RIGHT" else value) for name, value in query]
        return outcome_of(checked, browser, browser.open(f"{checked.redirect_uri}?{urlencode(fields)}"), "\0")

    to_all(send)


statuses = st.sampled_from(["200 OK", "200 OK", "200 OK", "201 Created", "302 Found", "400 Bad Request", "500 Error"])
bodies = st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode())
token_names = ("access_token", "token_type", "expires_in", "expires_at", "scope", "refresh_token", "id_token", "error")
ordinary = {"access_token": "t", "token_type": "bearer"}


@chosen
@given(
    body=bodies | members(*token_names).map(lambda more: json.dumps({**ordinary, **more}).encode()),
    status=statuses,
)
def test_any_token_response_gets_a_page(to_all, body, status):
    """Any token response gets a page, and logs in no user who has not consented."""

    def send(checked):
        browser = checked.new_browser()
        code = f"code-{id(browser)}"
        checked.relay.set_behaviour("token", code, respond_with(body, status=status))
        page = browser.open(callback_url_for(checked, browser, code))
        checked.relay.clear_behaviour("token", code)
        return outcome_of(checked, browser, page, "\0")

    to_all(send)


def profile_behaviour(checked, profile):
    """Return a behaviour of the relay: this profile, and the usual response to other requests with the token."""
    paths = {message["request"]["path"]: message["endpoint"] for message in checked.back_channel_messages()}
    responses = {**checked.profiles, checked.profile_endpoints[0]: profile}

    def act(connection, request, forward):
        send_response(connection, json.dumps(responses.get(paths.get(request.path))).encode())

    return act


profile_names = ("id", "sub", "name", "email", "login", "username", "picture", "avatar_url", "email_verified", "data")


@chosen
@given(more=members(*profile_names), keep=st.booleans())
@example(more={"name": "\ud800"}, keep=True)
@example(more={"email": "x" * 5000, "name": "é漢🎈" * 2000}, keep=True)
def test_any_profile_gets_a_page(to_all, more, keep):
    """Any profile gets a page without HTML of the profile, and makes no cookie too large."""

    def send(checked):
        browser = checked.new_browser()
        if checked.has_id_token:  # only the provider can sign one
            response = checked.authorization_response(browser, GRACE)
            code = parameters(response)["code"]
        else:
            code = f"code-{id(browser)}"
            response = callback_url_for(checked, browser, code)
            token = {**checked.token_response, "access_token": f"token-{id(browser)}"}
            checked.relay.set_behaviour("token", code, respond_with(json.dumps(token).encode()))
            checked.relay.note_token(token["access_token"], code)
        profile = {**checked.profile, **more} if keep else more
        if isinstance(checked.profile.get("data"), dict) and "data" not in more:
            profile = {"data": {**(checked.profile["data"] if keep else {}), **more}}
        checked.relay.set_behaviour("profile", code, profile_behaviour(checked, profile))
        page = checked.send_callback(browser, response)
        checked.relay.clear_behaviour("token", code)
        checked.relay.clear_behaviour("profile", code)
        home = page if page.url == f"{checked.url}/" else checked.home_page(browser)
        assert not any(tag in ("script", "iframe") for tag, _ in home.parsed.elements)
        assert not browser.dropped
        assert_no_crash(page)
        return "logged in" if LOGGED_IN in home.text else "refused"

    to_all(send)


claims_that_count = ("iss", "aud", "nonce", "sub")


def has_ended(value):
    """Tell whether a claim exp is invalid or in the past; the provider may sign one far in the future."""
    return isinstance(value, bool) or not isinstance(value, int | float) or not value > time.time() - 600


@chosen
@given(
    claims=st.dictionaries(
        st.sampled_from([*claims_that_count, "exp", "iat", "nbf", "azp", "at_hash"]) | texts, json_values
    )
)
def test_any_claims_get_a_page(to_all, claims):
    """An ID token with other claims is refused if the app has to check them."""

    def send(checked):
        browser = checked.new_browser()
        response = checked.authorization_response(browser, GRACE)
        checked.inject_fault("token", id_token={"claims": claims})
        result = outcome_of(checked, browser, checked.send_callback(browser, response), GRACE)
        wrong = set(claims_that_count) & set(claims) or ("exp" in claims and has_ended(claims["exp"]))
        assert result == "refused" or not wrong, claims
        return result

    with suppress(UnicodeEncodeError):  # a lone surrogate cannot be sent to the provider
        to_all(send, lambda checked: checked.has_id_token)


parts = st.sampled_from(
    ["//", "/", "\\", "evil.example", "http:", "https:", "@", "#", "?", "%2f", "%5c", "\t", ".", "..", "javascript:"]
)
targets = st.lists(parts | texts, max_size=6).map("".join)


@chosen
@given(target=targets, name=st.sampled_from(["next", "url", "return_to", ""]))
def test_any_next_stays_at_the_app(to_all, target, name):
    """Open redirect: any page to return to, in any parameter, is one of this app."""

    def send(checked):
        browser = checked.new_browser()
        query = urlencode({name: target}) if name else urlencode({"": target})[1:]
        page = browser.open(f"{checked.login_url}?{query}", stop_at="elsewhere")
        assert_no_crash(page)
        if not page.location:
            return "not begun"
        response = checked.authorize(browser, page.location, GRACE)
        page = checked.send_callback(browser, response, stop_at="elsewhere")
        assert_no_crash(page)
        assert all(target_host(url, checked.url) == urlsplit(checked.url).netloc for _, url in page.redirects), (
            page.redirects
        )
        return outcome_of(checked, browser, page, GRACE)

    to_all(send, lambda checked: checked.has_return_url)


def test_a_browser_names_only_users_who_consented(checked_apps):
    """Two browsers log in, swap responses and log out, in any order: each names only a user who consented in it."""

    class TwoBrowsers(RuleBasedStateMachine):
        people = (ADA, GRACE, MALLORY)

        @initialize(number=st.integers(0, len(checked_apps) - 1))
        def open_two_browsers(self, number):
            first = checked_apps[number]
            self.ways = [first, *first.others]
            self.checked = first
            self.browsers = [first.new_browser(), first.new_browser()]
            self.consented = [set(), set()]
            self.callback_urls = []

        @rule(who=st.integers(0, 1), person=st.sampled_from(people), way=st.integers(0, 1))
        def ask(self, who, person, way):
            checked = self.ways[way % len(self.ways)]
            page = self.browsers[who].open(checked.login_url, stop_at="elsewhere")
            if page.location:
                self.callback_urls.append(checked.authorize(self.browsers[who], page.location, person))
                self.consented[who].add(person)

        @rule(who=st.integers(0, 1), number=st.integers(0, 5), change=st.sampled_from([None, "state", "code"]))
        def deliver(self, who, number, change):
            if not self.callback_urls:
                return
            response = parameters(self.callback_urls[-1 - number % len(self.callback_urls)])
            url = self.callback_urls[-1 - number % len(self.callback_urls)].partition("?")[0]
            if change is not None:  # from another response
                response[change] = parameters(self.callback_urls[0])[change]
            assert_no_crash(self.checked.send_callback(self.browsers[who], f"{url}?{urlencode(response)}"))

        @rule(who=st.integers(0, 1))
        def log_out(self, who):
            if self.checked.logged_in_name(self.browsers[who]) is not None:
                assert_no_crash(self.checked.log_out(self.browsers[who], stop_at="elsewhere"))

        @invariant()
        def names_who_consented(self):
            for browser, consented in zip(getattr(self, "browsers", ()), getattr(self, "consented", ()), strict=True):
                found = self.checked.logged_in_name(browser)
                assert found is None or found.startswith(tuple(consented)), f"{self.bench.name} names {found}"

    run_state_machine_as_test(
        TwoBrowsers, settings=settings(chosen, max_examples=chosen.max_examples // 5, stateful_step_count=12)
    )


def test_the_subject_is_found(checked_apps):
    """The strategies above change the subject: here they find it in the profile of every provider."""
    assert all(subject_of(checked.profile) for checked in checked_apps)
    assert all(subject_of(with_subject(checked.profile, "x")) == "x" for checked in checked_apps)
