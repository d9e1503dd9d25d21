"""The documentation site: every page is in it, and what is made from the code is complete; without MkDocs."""

import importlib.util
import json
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from entrypoints.cli import main
from tests.support.code_blocks import titled_blocks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
CONTRACT: dict[str, Any] = json.loads((ROOT / "contracts" / "api-contract.openapi.json").read_text())


def load_hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "site_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = load_hooks()
GENERATED: dict[str, str] = HOOKS.generated_pages()
WRITTEN = {str(path.relative_to(DOCS)): path.read_text() for path in DOCS.rglob("*.md")}
PAGES = GENERATED | WRITTEN


def named(nav: Any) -> list[str]:
    """The paths in a navigation, in its order."""
    if isinstance(nav, str):
        return [nav]
    items = nav.values() if isinstance(nav, dict) else nav
    return [path for item in items for path in named(item)]


def test_every_page_is_in_the_navigation_once_and_no_other() -> None:
    assert sorted(named(CONFIG["nav"])) == sorted(PAGES)


def test_no_generated_page_hides_a_written_one() -> None:
    assert not set(GENERATED) & set(WRITTEN)


def test_the_site_loads_nothing_from_elsewhere() -> None:
    assert CONFIG["theme"]["font"] is False
    assert {"search", "offline"} <= set(CONFIG["plugins"])
    loaded = [*CONFIG["extra"]["polyfills"], *CONFIG.get("extra_css", []), *CONFIG.get("extra_javascript", [])]
    assert all((DOCS / path).is_file() for path in loaded)
    assert any("iframe-worker" in path for path in loaded), "the plugin would load it from elsewhere"


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_on_the_site_lead_to_pages_of_it(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", HOOKS.site_links(PAGES[page], page), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\((?!\w+:)([^)#\s]+)", text) + re.findall(r'\bsrc(?:set)?="(?!\w+:)([^"]+)"', text)
    for link in links:
        path = ((DOCS / page).parent / link).resolve()
        assert path.is_file() or str(path.relative_to(DOCS)) in GENERATED, link


@pytest.mark.parametrize(
    ("page", "text", "on_the_site"),
    [
        ("index.md", "[a](docs/live.md#watch)", "[a](live.md#watch)"),
        ("index.md", "[a](docs/adr)", "a (`docs/adr`)"),
        ("index.md", 'src="docs/images/a.png"', 'src="images/a.png"'),
        ("live.md", "[a](../CHANGELOG.md)", "[a](changelog.md)"),
        ("how-to/proxy.md", "[a\nb](../operations.md#x)", "[a\nb](../operations.md#x)"),
        ("how-to/proxy.md", "[a](../../clients/typescript/README.md)", "[a](../clients/typescript.md)"),
        ("clients/python.md", "[a](../../docs/live.md)", "[a](../live.md)"),
        ("how-to/proxy.md", "[a](../../frontend/package.json)", "a (`frontend/package.json`)"),
        ("live.md", "[a](https://example.com/x.md)", "[a](https://example.com/x.md)"),
        ("live.md", "[a](#watch)", "[a](#watch)"),
    ],
)
def test_links_are_rewritten_for_the_site(page: str, text: str, on_the_site: str) -> None:
    assert HOOKS.site_links(text, page) == on_the_site


def test_the_page_of_commands_has_each_command_and_option() -> None:
    page = GENERATED["reference/cli.md"]
    for name, command in main.commands.items():
        assert f"## {name}\n" in page
        for option in (one for parameter in command.params for one in parameter.opts if one.startswith("--")):
            assert option in page


def test_the_page_of_the_api_has_each_operation_with_its_parameters_and_responses() -> None:
    page = GENERATED["reference/openapi.md"]
    for path, item in CONTRACT["paths"].items():
        for method, operation in ((key, value) for key, value in item.items() if key in HOOKS.METHODS):
            _, _, part = page.partition(f"`{method.upper()} {path}`\n")
            part, _, _ = part.partition("\n## ")
            assert set(re.findall(r"^\| (\d{3}) \|", part, re.MULTILINE)) == set(operation["responses"])
            count = len(item.get("parameters", [])) + len(operation.get("parameters", []))
            assert len(re.findall(r"^\| `", part, re.MULTILINE)) == count
            assert ("\nBody: " in part) == ("requestBody" in operation)
    _, _, shapes = page.partition("\n## Shapes\n")
    for name, schema in CONTRACT["components"]["schemas"].items():
        _, _, part = shapes.partition(f"### {name} {{ #shape-{name} }}\n")
        assert re.findall(r"^\| `(\w+)`", part.partition("\n### ")[0], re.MULTILINE) == [*schema["properties"]]
    assert "integer, 1 to 1000, default <code>1000</code>" in page
    assert set(re.findall(r'href="#(shape-\w+)"', page)) <= set(re.findall(r"\{ #(shape-\w+) \}", page))


def test_one_version_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert CONTRACT["info"]["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
    kustomization = (ROOT / "deploy" / "kubernetes" / "kustomization.yaml").read_text()
    assert set(re.findall(r"newTag: (\S+)", kustomization)) == {version}
    assert tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())["project"]["version"] == version
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for folder in ("clients/typescript", "frontend"):
        asked = json.loads((ROOT / folder / "package.json").read_text())
        for one in (asked, packages[folder]):
            found = one.get("version"), one.get("dependencies", {}).get("evo-todo-client")
            assert {*found} - {None} == {version}, folder
    readme = (ROOT / "clients" / "typescript" / "README.md").read_text()
    assert f"./evo-todo-client-{version}.tgz" in readme


def test_python_code_is_valid_on_every_page() -> None:
    blocks = {title: text for page in WRITTEN for title, text in titled_blocks(page).items() if title.endswith(".py")}
    assert len(blocks) >= 5
    for title, text in blocks.items():
        compile(text, title, "exec")


BLOCKS = {
    ("index.md", "sh"): (2, "integration/processes/test_readme.py"),
    ("live.md", "sh"): (7, "integration/processes/test_readme.py"),
    ("tutorial.md", "sh"): (8, "interop/test_tutorial.py"),
    ("tutorial.md", "js"): (2, "interop/test_tutorial.py"),
    ("how-to/sign-out.md", "sh"): (1, "interop/test_tutorial.py"),
    ("how-to/sign-out.md", "js"): (2, "interop/test_tutorial.py"),
    ("how-to/your-own-app.md", "sh"): (3, "interop/test_tutorial.py"),
    ("how-to/your-own-app.md", "python"): (4, "security/test_own_apps.py"),
    ("how-to/leave-hs256.md", "python"): (1, "security/test_own_verifier.py"),
    ("how-to/backup.md", "sh"): (2, "integration/processes/test_documented_commands.py"),
    ("how-to/backup.md", "python"): (1, "unit/test_site.py"),
    ("how-to/hosted-postgresql.md", "sh"): (1, "integration/processes/test_documented_commands.py"),
    ("how-to/proxy.md", "sh"): (1, "interop/test_documented_proxies.py"),
    ("how-to/proxy.md", "nginx"): (1, "interop/test_documented_proxies.py"),
    ("operations.md", "sh"): (2, "integration/processes/test_documented_commands.py"),
    ("operations.md", "nginx"): (2, "interop/test_documented_proxies.py"),
    ("operations.md", "haproxy"): (2, "interop/test_documented_proxies.py"),
    ("operations.md", "console"): (2, None),  # they need Kubernetes and Docker
    ("scaling.md", "console"): (1, None),  # it needs a cluster of Citus
    ("adr/0012-row-level-security.md", "sql"): (1, None),  # an outline, with left out parts
    ("clients/python.md", "python"): (1, "interop/test_python_client.py"),
    ("clients/python.md", "console"): (1, None),  # it installs a package
    ("clients/typescript.md", "ts"): (1, "../clients/typescript/package.test.ts"),
    ("clients/typescript.md", "console"): (1, None),  # as package.test.ts does in a folder of its own
}
"""How many blocks of each language a page has, and which test runs them."""


def test_every_code_block_is_known_to_the_test_that_runs_it() -> None:
    written = WRITTEN | {page: GENERATED[page] for page in HOOKS.ROOT_PAGES.values()}
    found = Counter(
        (page, language)
        for page, text in written.items()
        for language in re.findall(r"^ *```(\w+)[^\n]*\n.*?^ *```$", text, re.DOTALL | re.MULTILINE)
    )
    assert found == {block: count for block, (count, _) in BLOCKS.items()}
    assert all((ROOT / "tests" / test).is_file() for _, test in BLOCKS.values() if test)


def test_the_backup_of_a_database_in_use_has_what_its_file_alone_lacks(tmp_path: Path) -> None:
    (tmp_path / "backup.py").write_text(titled_blocks("how-to/backup.md")["backup.py"])
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("CREATE TABLE t (x)")
        live.execute("INSERT INTO t VALUES (1)")
        live.commit()
        subprocess.run([sys.executable, "backup.py", "tasks.db", "copy.db"], cwd=tmp_path, check=True)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT x FROM t").fetchall() == [(1,)]
