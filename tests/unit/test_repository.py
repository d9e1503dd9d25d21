"""What the forge, editors and API clients read: it parses, and names only files and make targets that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import bruno

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((GITHUB / "workflows").glob("*.yml"))}
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
CI_RUN = (ROOT / ".ci" / "run").read_text()


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{name}/{job}", does) for name, flow in WORKFLOWS.items() for job, does in flow["jobs"].items()]


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job.get("steps", [])
    return found


def commands() -> str:
    return "\n".join(step["run"] for _, job in jobs() for step in steps(job) if "run" in step)


def test_the_ci_runs_the_one_script_on_every_python_that_is_supported() -> None:
    job = WORKFLOWS["ci"]["jobs"]["checks"]
    assert [step["run"] for step in steps(job) if "run" in step] == [".ci/run"]
    versions = job["strategy"]["matrix"]["python"]
    oldest = re.search(r'requires-python = ">=([0-9.]+)"', (ROOT / "pyproject.toml").read_text())
    assert oldest
    assert versions[0] == oldest[1]
    assert versions == [f"3.{minor}" for minor in range(11, 15)]


def test_a_release_is_checked_first() -> None:
    release = WORKFLOWS["release"]["jobs"]
    assert release["checks"]["uses"] == "./.github/workflows/ci.yml"
    assert (release["packages"]["needs"], release["images"]["needs"]) == ("checks", "packages")
    assert "--sbom=true" in commands()


def test_workflows_name_what_exists() -> None:
    assert set(re.findall(r"^make ([a-z0-9]+)", commands(), re.MULTILINE)) <= TARGETS
    named = r"(?<![\w.])(\.ci/\w+|requirements|package-lock\.json|(?:frontend/)?Dockerfile)\b"
    for place in re.findall(named, commands()):
        assert (ROOT / place).exists(), place
    local = [job["uses"] for _, job in jobs() if "uses" in job]
    assert all((ROOT / place).is_file() for place in local)
    for entry in yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]:
        for folder in entry.get("directories", [entry.get("directory")]):
            assert (ROOT / folder.lstrip("/")).is_dir()


@pytest.mark.parametrize(("name", "job"), jobs(), ids=lambda case: case if isinstance(case, str) else "")
def test_a_job_has_only_the_rights_it_needs(name: str, job: dict[str, Any]) -> None:
    assert WORKFLOWS[name.partition("/")[0]]["permissions"] == {"contents": "read"}
    assert "uses" in job or job["timeout-minutes"] <= 150
    for step in steps(job):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), "pinned: a tag can be moved"
        # What others choose, such as a branch's name, would be run as part of the script.
        assert "${{" not in step.get("run", ""), "values reach scripts through the environment"


def test_what_a_job_hands_over_has_no_limit_of_length() -> None:
    """An output reaches a script as a variable, of 128 KiB at most: less than the patch of many lock files."""
    assert not any("needs." in str(step.get("env")) for _, job in jobs() for step in steps(job))
    does = WORKFLOWS["dependencies"]["jobs"]
    [sent], [received] = (
        [step["with"] for step in steps(does[job]) if f"/{kind}-artifact@" in step.get("uses", "")]
        for job, kind in (("lock", "upload"), ("propose", "download"))
    )
    assert sent["name"] == received["name"]
    assert f"> {sent['path']}\n" in str(steps(does["lock"])).replace("\\n", "\n")
    assert f"$RUNNER_TEMP/{sent['path']}" in str(steps(does["propose"]))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_complete(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert {"name", "description", "body"} <= set(form)
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert all(part["attributes"]["label"] for part in fields)
    assert len({part["id"] for part in fields}) == len(fields)


def test_the_pull_request_template_names_what_exists() -> None:
    text = (GITHUB / "pull_request_template.md").read_text()
    assert set(re.findall(r"`make ([a-z0-9]+)`", text)) <= TARGETS
    assert all((ROOT / name).exists() for name in re.findall(r"`([\w./-]+\.\w+|\.ci/run)`", text))


def test_the_development_container_has_what_the_ci_needs() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    recipe = (ROOT / ".devcontainer" / container["build"]["dockerfile"]).read_text()
    needed = {name for names in re.findall(r"missing\+=\(([^)]+)\)", CI_RUN) for name in names.split()}
    assert needed - {"python3", "python3-venv"} <= set(re.findall(r"[\w-]+", recipe))
    assert container["postCreateCommand"].removeprefix("make ") in TARGETS


def test_the_security_contact_has_the_required_fields() -> None:
    lines = (ROOT / "deploy" / "security.txt").read_text().splitlines()
    fields = [line.partition(":")[0] for line in lines if not line.startswith("#")]
    assert {"Contact", "Expires"} <= set(fields)
    assert fields.count("Expires") == 1


def test_the_kept_collection_is_what_the_document_says() -> None:
    expected = bruno.collection(json.loads(bruno.DOCUMENT.read_text()))
    kept = {str(path.relative_to(bruno.FOLDER)): path.read_text() for path in bruno.FOLDER.rglob("*") if path.is_file()}
    assert kept == expected, "run `make openapi`"


def test_the_collection_keeps_no_token() -> None:
    files = bruno.collection(json.loads(bruno.DOCUMENT.read_text()))
    assert "vars:secret [\n  token\n]" in files["environments/local.bru"]
    assert not any(re.search(r"\bBearer\b", text) for text in files.values())


def test_the_npm_lock_file_has_hashes_and_no_addresses() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert not any("resolved" in package for package in packages.values())
    assert all("integrity" in package for place, package in packages.items() if "node_modules/" in place)


@pytest.mark.parametrize("folder", ["", "clients/typescript", "frontend"])
def test_the_npm_lock_file_is_in_step_with_what_a_workspace_asks_for(folder: str) -> None:
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"][folder]
    asked = json.loads((ROOT / folder / "package.json").read_text())
    for kind in ("dependencies", "devDependencies"):
        assert locked.get(kind, {}) == asked.get(kind, {})
