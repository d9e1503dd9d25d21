"""The image and docker-compose.yml: what they install is audited, and no setting is lost on the way to the service."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
SETTINGS = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
OF_THE_CONTAINER = {"EVO_TODO_HOST", "EVO_TODO_PORT"}
"""Inside it they are fixed; outside they are the published port's."""
OF_THE_MIGRATION = {"EVO_TODO_SERVICE_ROLE", "EVO_TODO_SERVICE_PASSWORD"}


def test_every_setting_reaches_the_service() -> None:
    assert set(SERVICES["api"]["environment"]) & SETTINGS == SETTINGS - OF_THE_CONTAINER - OF_THE_MIGRATION
    assert set(SERVICES["migrate"]["environment"]) >= OF_THE_MIGRATION
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in SERVICES["api"]["environment"]


def test_what_the_image_installs_has_traces_and_is_audited() -> None:
    image = (ROOT / "Dockerfile").read_text()
    [lock] = set(re.findall(r"install .*-r (requirements/(?!build)\w+\.txt)", image))
    assert "opentelemetry-sdk==" in (ROOT / lock).read_text()
    makefile = (ROOT / "Makefile").read_text()
    audit = makefile[makefile.index("\naudit:") : makefile.index("\nformat:")]
    assert f"--requirement {lock}" in audit
