import pytest

from tests.support.browser import Windows

FAULTS = {
    "an error in the page": ("weberror", "setTimeout(() => { throw new Error('oh no') })"),
    "an error on the console": ("console", "console.error('oh no')"),
    "a request to example.org": ("request", "fetch('http://example.org/').catch(() => {})"),
    "a dialog: oh no": ("dialog", "setTimeout(() => alert('oh no'))"),
}
"""What is noted, by which event the browser tells of it, and what brings it about."""


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_in_a_window_is_noted(windows: Windows, fault: str) -> None:
    page = windows.open()
    page.set_content("<title>Empty</title>")
    event, script = FAULTS[fault]
    with page.context.expect_event(event):  # those who listened before, as the watch does, have heard it by then
        page.evaluate(f"void {script}")
    assert [noted for noted in windows.watch.faults if noted.startswith(fault)] == windows.watch.faults
    assert len(windows.watch.faults) == 1
    windows.watch.faults.clear()
