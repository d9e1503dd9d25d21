import pytest

from tests.support.browser import Windows

FAULTS = {
    "page error": ("weberror", "setTimeout(() => { throw new Error('oh no') })"),
    "console error": ("console", "console.error('oh no')"),
    "request to example.org": ("request", "fetch('http://example.org/').catch(() => {})"),
    "dialog: oh no": ("dialog", "setTimeout(() => alert('oh no'))"),
}
"""For each recorded fault: the browser event that reports it, and a script that causes it."""


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_a_window_are_recorded(windows: Windows, fault: str) -> None:
    page = windows.open()
    page.set_content("<title>Empty</title>")
    event, script = FAULTS[fault]
    with page.context.expect_event(event):  # the watch was registered first, so it has been called by then
        page.evaluate(f"void {script}")
    assert [recorded for recorded in windows.watch.faults if recorded.startswith(fault)] == windows.watch.faults
    assert len(windows.watch.faults) == 1
    windows.watch.faults.clear()
