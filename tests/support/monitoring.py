"""The alert rules and the dashboard in deploy/, and the metrics that they ask for."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "evo-todo.json"


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> list[str]:
    return [rule["expr"] for rule in alert_rules()] + [
        target["expr"] for panel in panels() for target in panel["targets"]
    ]


def metrics_in(text: str) -> set[str]:
    """The service's metrics that a text names."""
    return set(re.findall(r"\bevo_todo_[a-z_]+[a-z]\b", text))


def documented_metrics() -> set[str]:
    """The metrics in the table of docs/operations.md, the abbreviated ones written out."""
    found: set[str] = set()
    operations = (ROOT / "docs" / "operations.md").read_text()
    for cell in re.findall(r"^\| (`evo_todo_[^|]+) \|", operations, re.MULTILINE):
        first, *others = re.findall(r"`([a-z_]+)`", cell)
        found.add(first)
        found |= {one if one.startswith("evo_todo_") else f"{first.rpartition('_')[0]}{one}" for one in others}
    return found
