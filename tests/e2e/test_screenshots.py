"""Screenshots of the pages for the documentation. SCREENSHOTS=1 writes them to docs/images."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support.browser import Windows
from tests.support.frontend import PASSWORD, Frontend, Person
from tests.support.pages import TasksPage, go
from tests.support.service_under_pages import Api, Tasks

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "docs" / "images"
SHRINK: Final = """
    import { readFile, writeFile } from "node:fs/promises"
    import sharp from "sharp"
    const [path] = process.argv.slice(1)
    await writeFile(path, await sharp(await readFile(path)).png({ palette: true, colours: 128, effort: 10 }).toBuffer())
"""
"""Sharp comes with Next."""
WIDE: Final[ViewportSize] = {"width": 1000, "height": 640}
NARROW: Final[ViewportSize] = {"width": 375, "height": 700}
FIXED_TIMES: Final = """() => document.querySelectorAll('time').forEach(
    (time, index) => { time.textContent = `1/${5 - index}/2026, ${9 + index}:00:00 AM` }
)"""


@pytest.fixture(scope="package")
def ada(web: Frontend) -> Person:
    """A person with a name for the screenshots."""
    ada = web.person("ada@example.com")
    ada.http.headers["User-Agent"] = "Mozilla/5.0 (iPhone) Safari"
    response = ada.post("/sign-up/email", name="Ada", email=ada.email, password=PASSWORD)
    assert response.is_success, response.text
    ada.http.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) Firefox"
    return ada.sign_in()


@pytest.fixture(scope="package")
def her_tasks(running_api: Api, ada: Person) -> Tasks:
    stored = Tasks(running_api, ada)
    stored.add("Write to Charles")
    stored.add(
        "Book the train to Turin", description="https://trains.example/turin\nThe one before noon, at the window."
    )
    [milk, _] = stored.add("Buy milk", "Water the plants")
    stored.change(milk, completed=True)
    return stored


def login(windows: Windows, _: Person) -> Page:
    page = windows.open()
    go(page, "/login")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    return page


def tasks(windows: Windows, ada: Person) -> Page:
    page = windows.open(ada)
    TasksPage(page).open().reads("Water the plants", "Buy milk", "Book the train to Turin", "Write to Charles")
    return page


def right_to_left(windows: Windows, leila: Person) -> Page:
    page = windows.open(leila)
    stored = TasksPage(page).open()
    stored.add("كتابة رسالة إلى ليلى", "Read שירים by Leah", "حجز القطار إلى بيروت (قبل الظهر)", "شراء الحليب")
    stored.tick("حجز القطار إلى بيروت (قبل الظهر)")
    stored.new.fill("سقي النباتات")
    return page


def account(windows: Windows, ada: Person) -> Page:
    page = windows.open(ada)
    page.goto("/account")
    expect(page.get_by_text("Ada, ada@example.com")).to_be_visible()
    expect(page.get_by_text("Current session, signed in")).to_be_visible()
    page.evaluate(FIXED_TIMES)
    return page


@pytest.mark.usefixtures("her_tasks")
@pytest.mark.parametrize("show", [login, tasks, right_to_left, account], ids=lambda show: show.__name__)
def test_screenshots_in_light_mode_in_dark_mode_and_on_a_phone(
    windows: Windows, ada: Person, alice: Person, tmp_path: Path, show: Callable[[Windows, Person], Page]
) -> None:
    is_for_docs = os.environ.get("SCREENSHOTS") == "1"
    folder = IMAGES if is_for_docs else tmp_path
    page = show(windows, alice if show is right_to_left else ada)
    for variant in ("light", "dark", "phone"):
        page.emulate_media(color_scheme="dark" if variant == "dark" else "light")
        page.set_viewport_size(NARROW if variant == "phone" else WIDE)
        picture = folder / f"{show.__name__.replace('_', '-')}-{variant}.png"
        page.screenshot(path=picture, animations="disabled", caret="hide")
        assert picture.stat().st_size > 0
        if is_for_docs:
            subprocess.run(["node", "--input-type=module", "-e", SHRINK, picture], cwd=ROOT, check=True)
