"""Alert rules and the dashboard: what they say fits together; the metrics are compared with a running service's."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.support.monitoring import ALERTS, DASHBOARD, ROOT, alert_rules, expressions, metrics_in, panels

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
HEADINGS = re.findall(r"^### (EvoTodo\w+)$", OPERATIONS, re.MULTILINE)
_PAIRS = {")": "(", "}": "{", "]": "["}


def test_each_alert_has_a_paragraph_that_says_what_to_do() -> None:
    names = [rule["alert"] for rule in alert_rules()]
    assert names == HEADINGS
    for rule in alert_rules():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"].endswith(".") or "{{" in rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        paragraph = OPERATIONS.partition(f"### {rule['alert']}\n")[2].partition("\n#")[0]
        assert len(paragraph.split()) > 25


@pytest.mark.parametrize("expression", expressions())
def test_each_expression_is_balanced_and_of_the_services_job(expression: str) -> None:
    unquoted = re.sub(r'"[^"]*"', '""', expression)
    opened: list[str] = []
    for character in unquoted:
        if character in _PAIRS.values():
            opened.append(character)
        elif character in _PAIRS:
            assert opened
            assert opened.pop() == _PAIRS[character]
    assert not opened
    assert metrics_in(expression) or "up{" in expression
    selectors = re.findall(r"\b(?:evo_todo_\w+|up)(\{[^}]*\})?", re.sub(r"\{(\w+)\}", r"<\1>", expression))
    assert all('job="evo-todo"' in selector for selector in selectors)


def test_panels_do_not_overlap_and_have_titles_of_their_own() -> None:
    titles = [panel["title"] for panel in panels()]
    assert len(set(titles)) == len(titles)
    cells = [
        (x, y)
        for panel in panels()
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert json.loads(DASHBOARD.read_text())["uid"] == "evo-todo"


def unit_of(expression: str) -> set[str]:
    """The units in which a series can be read."""
    if "pool_size" in expression:
        return {"percentunit"}
    if "rate(" in expression and "histogram_quantile" not in expression:
        return {"ops", "reqps"}
    is_time = re.search(r"_seconds(_bucket)?\{", expression) is not None and "/ 3600" not in expression
    return {"s"} if is_time else {"short"}


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_each_series_has_its_unit(panel: dict[str, Any]) -> None:
    fields = panel["fieldConfig"]
    for target in panel["targets"]:
        own = [one for one in fields["overrides"] if re.search(one["matcher"]["options"][1:-1], target["legendFormat"])]
        units = [rule["value"] for one in own for rule in one["properties"] if rule["id"] == "unit"]
        assert (units or [fields["defaults"]["unit"]])[-1] in unit_of(target["expr"]), target["legendFormat"]


def test_the_example_configuration_has_the_rules_and_the_job() -> None:
    config = yaml.safe_load(ALERTS.with_name("prometheus.yml").read_text())
    assert config["rule_files"] == [ALERTS.name]
    assert [job["job_name"] for job in config["scrape_configs"]] == ["evo-todo"]


def test_promtool_accepts_the_rules_and_their_tests_where_it_is_installed() -> None:
    promtool = shutil.which("promtool")
    commands = (
        ("check", "rules", ALERTS.name),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    )
    for command in commands if promtool else ():
        ended = subprocess.run(
            [str(promtool), *command], cwd=ALERTS.parent, capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    tested = yaml.safe_load(ALERTS.with_name("alerts_test.yml").read_text())["tests"]
    for is_firing in (True, False):
        cases = [one for test in tested for one in test["alert_rule_test"] if bool(one.get("exp_alerts")) == is_firing]
        assert {one["alertname"] for one in cases} == {rule["alert"] for rule in alert_rules()}
