"""Chromium, and browser windows that record every error, unexpected request and dialog."""

import os
import shutil
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import define, field
from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    Route,
    ViewportSize,
)

from tests.support.frontend import Frontend, Person
from tests.support.service_under_pages import Api

TIMEOUT: Final = 30_000
"""Milliseconds: a generous timeout for everything whose duration is not under test."""
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)
VIEWPORT: Final[ViewportSize] = {"width": 1000, "height": 720}
OURS: Final = {"localhost", "127.0.0.1", "::1"}
NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

_ADDRESSES = count(int(ip_address("198.19.0.1")))  # reserved for tests (RFC 2544)


def executable(chromium: BrowserType) -> str | None:
    """The browser named by TEST_CHROMIUM, else Playwright's own (None), else the system's."""
    if named := os.environ.get("TEST_CHROMIUM"):
        assert Path(named).is_file(), f"TEST_CHROMIUM={named}: no such file"
        return named
    if Path(chromium.executable_path).is_file():
        return None
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "Chromium not found: apt-get install chromium, or set TEST_CHROMIUM to its path"
    return found


def launch(chromium: BrowserType) -> Browser:
    return chromium.launch(executable_path=executable(chromium), args=FLAGS)


NOTES: Final = """
    addEventListener('auth:unauthorized', () => reportSessionEnd(location.pathname))
    globalThis.shifts = []
    new PerformanceObserver(list => {
        for (const { value, hadRecentInput, sources } of list.getEntries())
            if (!hadRecentInput) shifts.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))])
    }).observe({ type: 'layout-shift', buffered: true })
"""
"""A script in every page that reports `auth:unauthorized` events and records layout shifts."""


@define(slots=False)  # Playwright sets attributes on event listeners
class Watch:
    """Records errors and events in all windows, in every test."""

    faults: list[str] = field(factory=list)
    """Things that must not happen: errors, requests to other hosts, dialogs."""
    losses: list[str] = field(factory=list)
    """The path of each page that dispatched `auth:unauthorized`."""
    questions: int = 0
    """The number of `beforeunload` dialogs."""
    stays: bool = False
    """Whether to stay on the page when such a dialog opens."""

    def begin(self) -> None:
        """Reset everything for the next test."""
        self.faults, self.losses, self.questions, self.stays = [], [], 0, False

    def over(self, context: BrowserContext) -> None:
        context.on("weberror", lambda fault: self.faults.append(f"page error: {fault.error}"))
        context.on("console", self._console)
        context.on("request", self._request)
        context.on("dialog", self._dialog)
        context.expose_binding("reportSessionEnd", lambda _, where: self.losses.append(where))
        context.add_init_script(NOTES)

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium logs an error for each 4xx and 5xx response; the tests check these themselves.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console error: {message.text}")

    def _request(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if host is not None and host not in OURS:
            self.faults.append(f"request to {host}")

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type != "beforeunload":
            self.faults.append(f"dialog: {dialog.message}")
            dialog.dismiss()
            return
        self.questions += 1
        if self.stays:
            dialog.dismiss()
        else:
            dialog.accept()


@define
class Windows:
    """Opens windows, each with its own cookies and storage, like separate browsers.

    A closed window is cleared and reused: creating one takes about as long as a test spends in it.
    """

    _browser: Browser
    _web: Frontend
    watch: Watch = field(factory=Watch)
    _lent: list[tuple[Page, list[Page] | None]] = field(factory=list)
    """The open windows, each with the pool that it returns to if it can be reused."""
    _near: list[Page] = field(factory=list)
    _far: list[Page] = field(factory=list)

    def open(
        self,
        person: Person | None = None,
        *,
        web: Frontend | None = None,
        is_far: bool = False,
        has_clock: bool = False,
    ) -> Page:
        """A window, signed in as `person` if given.

        `is_far`: each request to Better Auth has a different client address, to avoid rate limits. Playwright
        then responds to CORS preflights itself; otherwise the service does. `has_clock`: the test controls the time.
        """
        home = (self._far if is_far else self._near) if web is None and not has_clock else None
        web = web or self._web
        page = home.pop() if home else self._new(web, is_far=is_far)
        self._lent.append((page, home))
        if has_clock:
            page.clock.install()
        if person:
            _let_in(page.context, person, web)
        return page

    def _new(self, web: Frontend, *, is_far: bool) -> Page:
        context = self._browser.new_context(base_url=web.url, viewport=VIEWPORT)
        context.set_default_timeout(TIMEOUT)
        self.watch.over(context)
        if is_far:
            context.route("**/api/auth/**", _from_afar)
        return context.new_page()

    def close(self) -> list[str]:
        """Close the windows of a test, and return the faults in them."""
        self.watch.stays = False
        while self._lent:
            page, home = self._lent.pop()
            if home is None:
                page.context.close()
            else:
                _empty(page)
                home.append(page)
        faults = self.watch.faults
        self.watch.begin()
        return faults


def _empty(page: Page) -> None:
    context = page.context
    for tab in context.pages:
        if tab is not page:
            tab.close()
    page.unroute_all()
    context.set_offline(offline=False)
    page.goto("about:blank")
    context.clear_cookies()
    if page.viewport_size != VIEWPORT:
        page.set_viewport_size(VIEWPORT)
    page.emulate_media(color_scheme="null", reduced_motion="null")


def _let_in(context: BrowserContext, person: Person, web: Frontend) -> None:
    """Add the cookies of a signed-in person to the window."""
    for cookie in person.http.cookies.jar:
        context.add_cookies(
            [
                {
                    "name": cookie.name,
                    "value": cookie.value or "",
                    "url": web.url,
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )


def _from_afar(route: Route) -> None:
    address = str(ip_address(next(_ADDRESSES)))
    try:
        route.continue_(headers={**route.request.headers, "x-forwarded-for": address})
    except Error as error:  # the window was closed meanwhile
        if "closed" not in str(error):
            raise


def another(page: Page) -> Page:
    """Another tab of the same window."""
    return page.context.new_page()


def requests(page: Page, counts: Callable[[Request], bool]) -> list[Request]:
    """A list that collects the matching requests from now on."""
    seen: list[Request] = []

    def note(request: Request) -> None:
        if counts(request):
            seen.append(request)

    page.on("request", note)
    return seen


def calls(page: Page, api: Api) -> list[Request]:
    """A list that collects the page's requests to the service from now on, without CORS preflights.

    How a page follows the list in the background is left out: it has no fixed number of requests.
    """
    follows = ("/tasks/events", "/tasks/changes")

    def counts(request: Request) -> bool:
        url = urlsplit(request.url)
        return request.url.startswith(api.origin) and request.method != "OPTIONS" and not url.path.endswith(follows)

    return requests(page, counts)


def renewals(page: Page) -> list[Request]:
    """A list that collects the page's requests for a token from now on."""
    return requests(page, lambda request: request.url.endswith("/api/auth/token"))
