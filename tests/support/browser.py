"""A Chromium, and windows of it in which nothing may go wrong unnoticed."""

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

PATIENCE: Final = 30_000
"""Milliseconds: far more than anything takes that is no promise of the pages'."""
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

_ADDRESSES = count(int(ip_address("198.19.0.1")))  # set aside for tests (RFC 2544)


def executable(chromium: BrowserType) -> str | None:
    """The browser that TEST_CHROMIUM names, else Playwright's own (which is None), else the system's."""
    if named := os.environ.get("TEST_CHROMIUM"):
        assert Path(named).is_file(), f"TEST_CHROMIUM={named}: there is no such file"
        return named
    if Path(chromium.executable_path).is_file():
        return None
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "there is no Chromium: apt-get install chromium, or name one in TEST_CHROMIUM"
    return found


def launch(chromium: BrowserType) -> Browser:
    return chromium.launch(executable_path=executable(chromium), args=FLAGS)


NOTES: Final = """
    addEventListener('auth:unauthorized', () => toldOfLoss(location.pathname))
    globalThis.shifts = []
    new PerformanceObserver(list => {
        for (const { value, hadRecentInput, sources } of list.getEntries())
            if (!hadRecentInput) shifts.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))])
    }).observe({ type: 'layout-shift', buffered: true })
"""
"""What every page notes of itself."""


@define(slots=False)  # Playwright keeps something on whoever listens
class Watch:
    """Notes what happens in any window, whatever a test is about."""

    faults: list[str] = field(factory=list)
    """What must not happen."""
    losses: list[str] = field(factory=list)
    """Where a page was when it dispatched `auth:unauthorized`."""
    questions: int = 0
    """How often a page asked whether it may be left."""
    stays: bool = False
    """What it is answered: whether to stay."""

    def begin(self) -> None:
        """Forget what was, for another test."""
        self.faults, self.losses, self.questions, self.stays = [], [], 0, False

    def over(self, context: BrowserContext) -> None:
        context.on("weberror", lambda fault: self.faults.append(f"an error in the page: {fault.error}"))
        context.on("console", self._console)
        context.on("request", self._request)
        context.on("dialog", self._dialog)
        context.expose_binding("toldOfLoss", lambda _, where: self.losses.append(where))
        context.add_init_script(NOTES)

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium writes a line for each answer that is a refusal; what that means to the page is the tests' matter.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"an error on the console: {message.text}")

    def _request(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if host is not None and host not in OURS:
            self.faults.append(f"a request to {host}")

    def _dialog(self, dialog: Dialog) -> None:
        if dialog.type != "beforeunload":
            self.faults.append(f"a dialog: {dialog.message}")
            dialog.dismiss()
            return
        self.questions += 1
        if self.stays:
            dialog.dismiss()
        else:
            dialog.accept()


@define
class Windows:
    """Opens windows; each has cookies and a storage of its own, as if it were another browser.

    One that was closed is lent again, emptied: making it takes as long of what is done in it.
    """

    _browser: Browser
    _web: Frontend
    watch: Watch = field(factory=Watch)
    _lent: list[tuple[Page, list[Page] | None]] = field(factory=list)
    """Each with the place where it goes back to, if it can be lent again."""
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
        """A window, signed in as that person, if there is one.

        `is_far`: each call to Better Auth comes from another address, so that its limits are not met. Playwright then
        answers the browser's CORS preflights itself; elsewhere the service does. `has_clock`: its time can be moved.
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
        context.set_default_timeout(PATIENCE)
        self.watch.over(context)
        if is_far:
            context.route("**/api/auth/**", _from_afar)
        return context.new_page()

    def close(self) -> list[str]:
        """Close what a test has opened, and tell what went wrong there."""
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
    """Give the window the cookies of somebody who has signed in."""
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
    """The requests of that kind, from now on."""
    seen: list[Request] = []

    def note(request: Request) -> None:
        if counts(request):
            seen.append(request)

    page.on("request", note)
    return seen


def calls(page: Page, api: Api) -> list[Request]:
    """What the page asks of the service, from now on, without the browser's own questions."""
    return requests(page, lambda request: request.url.startswith(api.origin) and request.method != "OPTIONS")


def renewals(page: Page) -> list[Request]:
    """How often the page asks for a token, from now on."""
    return requests(page, lambda request: request.url.endswith("/api/auth/token"))
