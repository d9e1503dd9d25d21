"""What the pages look like to people of every script, with fingers, forced colours and page translators."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opens, TasksOf
from tests.support.browser import Windows
from tests.support.frontend import Person
from tests.support.pages import TasksPage, go, notice

TRANSLATE = """() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const found = []
    while (texts.nextNode()) if (texts.currentNode.data.trim()) found.push(texts.currentNode)
    for (const text of found) {
        const font = document.createElement('font')
        text.replaceWith(font)
        font.append(text.data)
    }
}"""
"""What page translators do: they replace every text node."""

MAX_SCRIPTS = 200 * 1024


def direction(page: Page, text: str) -> str:
    return str(page.get_by_text(text).first.evaluate("element => getComputedStyle(element).direction"))


def test_texts_of_people_have_their_own_direction(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    arabic, hebrew = "شراء الحليب", "לקנות חלב"
    tasks_of(alice).add(arabic, "Buy milk", description=hebrew)
    tasks = at_tasks(alice)
    assert direction(tasks.page, arabic) == "rtl"
    assert direction(tasks.page, hebrew) == "rtl"
    assert direction(tasks.page, "Buy milk") == "ltr"
    tasks.new.fill(arabic)
    assert tasks.new.evaluate("field => getComputedStyle(field).direction") == "rtl"
    tasks.search.fill(hebrew)
    assert tasks.search.evaluate("field => getComputedStyle(field).direction") == "rtl"


@pytest.mark.parametrize("title", ["\u202eevil", "\u2067rtl", "(שלום"])
def test_a_title_does_not_turn_the_words_around_it(
    title: str, at_tasks: Opens, tasks_of: TasksOf, alice: Person
) -> None:
    tasks_of(alice).add(title)
    tasks = at_tasks(alice)
    tasks.delete(title)
    isolated = notice(tasks.page).locator("bdi")
    expect(isolated).to_have_text(title)
    order = notice(tasks.page).evaluate(
        """notice => {
            const after = notice.querySelector('bdi').nextSibling.firstChild
            const range = document.createRange()
            const left = offset => {
                range.setStart(after, offset)
                range.setEnd(after, offset + 1)
                return range.getBoundingClientRect().left
            }
            return left(2) < left(after.data.length - 2)
        }"""
    )
    assert order, "the sentence is turned round"


def test_a_page_translator_breaks_nothing(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one", "two")
    tasks = at_tasks(alice)
    for _ in range(2):
        tasks.page.evaluate(TRANSLATE)
        tasks.page.get_by_role("radio", name="Open").check()
        tasks.page.get_by_role("checkbox").first.click()
        tasks.page.evaluate(TRANSLATE)
        tasks.page.get_by_role("button", name="Undo").click()
        tasks.page.get_by_role("button", name=re.compile("^Delete: ")).first.click()
        tasks.page.evaluate(TRANSLATE)
        notice(tasks.page).get_by_role("button", name="Undo").click()
        tasks.search.fill("nothing")
        tasks.page.evaluate(TRANSLATE)
        tasks.search.fill("")
        tasks.page.get_by_role("radio", name="All").check()
    tasks.page.get_by_role("link", name="Account").click()
    expect(tasks.page.get_by_role("heading", level=1)).to_contain_text("Account")
    # Faults in the page fail the test at its end.


def test_forced_colours_show_which_filter_is_chosen(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    page.emulate_media(forced_colors="active")
    style = "label => getComputedStyle(label).outlineStyle"
    outlines = [label.evaluate(style) for label in page.get_by_role("group", name="Show").locator("label").all()]
    page.emulate_media(forced_colors="none")
    assert outlines == ["solid", "none", "none", "none"]


@pytest.mark.parametrize(
    ("title", "links"),
    [
        ("see https://example.com/a?b=c#d.", ["https://example.com/a?b=c#d"]),
        ("(https://example.com/a_(b)) and http://example.org/", ["https://example.com/a_(b)", "http://example.org/"]),
        ("javascript:alert(1) data:text/html,x ftp://example.com", []),
        ("https://münchen.example/straße", ["https://münchen.example/straße"]),
    ],
)
def test_links_can_be_followed(title: str, links: list[str], at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add(title)
    tasks = at_tasks(alice)
    tasks.reads(title)
    found = tasks.page.locator(".title a")
    expect(found).to_have_text(links)
    for link in found.all():
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
        assert link.get_attribute("target") == "_blank"


def test_a_tall_text_is_folded_until_it_is_opened(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("Buy milk", description="\n".join(f"line {number}" for number in range(40)))
    tasks = at_tasks(alice)
    row = tasks.row("Buy milk")
    folded = row.bounding_box()
    box, delete = tasks.check("Buy milk").bounding_box(), row.get_by_role("button", name="Delete").bounding_box()
    assert folded
    assert box
    assert delete
    assert folded["height"] < 220
    tasks.page.get_by_role("button", name="Show all").click()
    opened = row.bounding_box()
    assert opened
    assert opened["height"] > 600
    assert box["y"] - folded["y"] < 40, "the box is at the top"
    assert delete["y"] - folded["y"] < 40
    tasks.page.get_by_role("button", name="Show less").click()
    expect(tasks.page.get_by_role("button", name="Show all")).to_be_visible()


def test_times_counts_and_a_description_when_adding(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one", "two")
    tasks = at_tasks(alice)
    assert re.match("Added .*20", tasks.row("one").locator(".title").get_attribute("title") or "")
    tasks.tick("one")
    for view, count in {"All": "2", "Open": "1", "Done": "1"}.items():
        expect(tasks.page.get_by_text(view, exact=True)).to_have_attribute("data-count", count)
    tasks.new.fill("three")
    tasks.page.get_by_role("button", name="With a description").click()
    tasks.page.get_by_label("Description to add").fill("more")
    tasks.page.get_by_label("Description to add").press("Control+Enter")
    tasks.has_confirmed("three")
    assert tasks_of(alice).all()[0]["description"] == "more"


def test_what_has_the_focus_is_not_hidden(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    """Neither under the field for a new task, which stays at the top, nor under a notice (WCAG 2.4.11)."""
    tasks_of(alice).add(*(f"Task {number}" for number in range(40)))
    tasks = at_tasks(alice)
    tasks.delete("Task 39")
    tasks.check("Task 0").focus()
    for key, last in (("ArrowUp", "Task 38"), ("ArrowDown", "Task 0")):
        while not tasks.check(last).evaluate("box => box === document.activeElement"):
            tasks.page.keyboard.press(key)
            hidden_by = tasks.page.evaluate(
                """() => {
                    const { x, y, width, height } = document.activeElement.getBoundingClientRect()
                    const corners = [[x + 1, y + 1], [x + width - 1, y + height - 1]]
                    const above = corners.map(([x, y]) => document.elementFromPoint(x, y))
                    return above.find(element => element !== document.activeElement)?.outerHTML.slice(0, 80)
                }"""
            )
            assert hidden_by is None


def test_times_are_in_the_editor_too(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    """For fingers, keys and screen readers: nothing hovers there."""
    tasks_of(alice).add("one")
    tasks = at_tasks(alice)
    tasks.edit("one")
    expect(tasks.page.get_by_text(re.compile("Added .*20"))).to_be_visible()


def test_a_search_tells_how_many_tasks_it_has_found(at_tasks: Opens, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("Buy milk", "Buy rice", "Call Ada")
    tasks = at_tasks(alice)
    status = tasks.page.get_by_role("status").filter(has_text="open")
    for search, text in {"buy": "3 open, 2 found", "nothing": "3 open, 0 found", "": "3 open"}.items():
        tasks.search.fill(search)
        expect(status).to_have_text(text)


def small_targets(page: Page) -> list[str]:
    """The controls that are smaller than 44 pixels on a touch screen; a box counts with its label."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('button, .filters label, .check, nav a, input, textarea')]
            .filter(({ type }) => type !== 'checkbox' && type !== 'radio')
            .filter(element => element.checkVisibility({ visibilityProperty: true }))
            .map(element => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
            .filter(([, { width, height }]) => width < 44 || height < 44)
            .map(([html, { width, height }]) => `${html} ${width}x${height}`)"""
    )
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    session.detach()
    return found


def test_targets_are_large_enough_for_fingers(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    tasks_of(alice).add("one", "two", "three", description="line\n" * 20)
    page = windows.open(alice)
    page.set_viewport_size({"width": 375, "height": 700})
    tasks = TasksPage(page).open()
    tasks.tick("one")
    assert small_targets(page) == []
    tasks.delete("one")
    tasks.edit("two")
    page.get_by_role("button", name="With a description").click()
    assert small_targets(page) == []
    tasks.choose("Deleted")
    expect(page.get_by_role("button", name="Restore: one")).to_be_visible()
    assert small_targets(page) == []
    page.get_by_role("link", name="Account").click()
    expect(page.get_by_text("Current session, signed in")).to_be_visible()
    assert small_targets(page) == []
    out = windows.open()
    for path in ("/login", "/signup", "/forgot"):
        go(out, path)
        assert small_targets(out) == []


@pytest.mark.parametrize(("width", "lines"), [(1000, 1), (375, 2)])
def test_filters_with_their_counts_are_on_one_line(
    width: int, lines: int, windows: Windows, tasks_of: TasksOf, alice: Person
) -> None:
    """On a phone, search and undo are on the next one."""
    tasks_of(alice).add(*(f"Task {number}" for number in range(12)))
    page = windows.open(alice)
    page.set_viewport_size({"width": width, "height": 700})
    tasks = TasksPage(page).open()
    tasks.tick("Task 3")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    places = page.evaluate(
        """() => [...document.querySelectorAll('.filters label, .view > :not(fieldset)')]
            .map(element => element.getBoundingClientRect())
            .map(({ top, bottom }) => [Math.round((top + bottom) / 2), bottom - top])"""
    )
    assert len({middle for middle, _ in places}) == lines
    assert max(height for _, height in places) < 50


def test_the_field_for_a_new_task_stays_in_reach_of_a_phone(windows: Windows, tasks_of: TasksOf, alice: Person) -> None:
    """At the top, where no keyboard covers it, however far the list is scrolled."""
    tasks_of(alice).add(*(f"Task {number}" for number in range(40)))
    page = windows.open(alice)
    page.set_viewport_size({"width": 375, "height": 350})  # what a keyboard leaves of a phone
    tasks = TasksPage(page).open()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(tasks.new).to_be_in_viewport(ratio=1)
    place = tasks.new.bounding_box()
    assert place
    assert place["y"] < 30
    page.mouse.click(place["x"] + 20, place["y"] + 10)
    expect(tasks.new).to_be_focused()


def test_the_page_can_be_installed(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    address = page.locator("link[rel=manifest]").get_attribute("href")
    assert address
    manifest = page.evaluate("address => fetch(address).then(response => response.json())", address)
    assert manifest["start_url"] == "/tasks"
    assert page.evaluate("icon => fetch(icon).then(response => response.ok)", manifest["icons"][0]["src"])
    assert page.locator("meta[name=theme-color]").count() == 2


def test_the_scripts_of_the_tasks_page_are_small(windows: Windows, alice: Person) -> None:
    page = windows.open(alice)
    TasksPage(page).open()
    scripts = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'))"
    assert 0 < sum(page.evaluate(f"{scripts}.map(script => script.encodedBodySize)")) <= MAX_SCRIPTS
