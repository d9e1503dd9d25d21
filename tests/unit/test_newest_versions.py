"""What `make compat` reads and reports; the run itself needs the package registry."""

import re

from tests.interop.newest import PACKAGES, PAGE, ROOT, SHOWN, Result, differences, read_report, versions

LOCK: dict[str, object] = {
    "packages": {
        "": {"devDependencies": {"biome": "^2.0.0"}},
        "frontend": {
            "dependencies": {"next": "^16.0.0", "better-auth": "^1.7.0", "client": "*"},
            "devDependencies": {"vitest": "^4.0.0"},
        },
        "node_modules/next": {"version": "16.4.5"},
        "node_modules/better-auth": {"version": "1.7.25"},
        "node_modules/vitest": {"version": "3.2.0"},
        "frontend/node_modules/vitest": {"version": "4.1.0"},
        "node_modules/client": {"resolved": "clients/typescript", "link": True},
        "node_modules/next/node_modules/sharp": {"version": "1.0.0"},
    }
}
REPORT = """<testsuites><testsuite>
<testcase classname="tests.interop.test_keys" name="test_a[x]"/>
<testcase classname="tests.interop.test_keys" name="test_b[x]"><failure message="1">2</failure></testcase>
<testcase classname="tests.interop.test_keys" name="test_c"><error message="at set-up"/></testcase>
<testcase classname="tests.interop.test_keys" name="test_d"><skipped/></testcase>
</testsuite></testsuites>"""


def test_versions_are_those_of_the_packages_that_the_frontend_asks_for() -> None:
    assert versions(LOCK) == {"next": "16.4.5", "better-auth": "1.7.25", "vitest": "4.1.0"}


def test_what_has_changed_is_named_and_what_the_run_is_about_always() -> None:
    before = {"next": "16.4.5", "better-auth": "1.7.25", "react": "19.0.0", "zod": "4.0.0", "old": "1.0.0"}
    after = {"next": "17.0.0", "better-auth": "1.7.25", "react": "19.0.0", "zod": "4.0.0"}
    assert differences(before, after) == [
        "better-auth: 1.7.25 → 1.7.25",
        "next: 16.4.5 → 17.0.0",
        "old: 1.0.0 → none",
        "react: 19.0.0 → 19.0.0",
    ]


def test_a_report_names_the_failed_tests_as_pytest_selects_them() -> None:
    failed = ("tests/interop/test_keys.py::test_b[x]", "tests/interop/test_keys.py::test_c")
    assert read_report(REPORT) == Result(1, failed)
    assert (ROOT / failed[0].partition("::")[0]).is_file()


def test_the_page_has_the_versions_of_each_run() -> None:
    text = PAGE.read_text()
    header, _, *runs = text[text.index("| date |") :].splitlines()
    assert header.split(" | ")[1:4] == ["Better Auth", "Next", "React"]
    assert runs
    assert all(re.match(r"\| \d{4}-\d\d-\d\d \|( \d+\.\d+\.\d+ \|){5} \d+ passed, \d+ failed", run) for run in runs)
    assert {name.rpartition("@")[0] for name in PACKAGES} >= set(SHOWN)
