"""Pages of the documentation site that are made from the code, and links as the site needs them (MkDocs hooks)."""  # noqa: INP001  (MkDocs loads it by its path)

import json
import posixpath
import re
from html import escape
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
ROOT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "clients/python/README.md": "clients/python.md",
    "clients/typescript/README.md": "clients/typescript.md",
}
"""Documents outside of docs/ that are pages of the site."""
LINK = re.compile(r"(\[[^]\n]*(?:\n[^]\n]+)?\]\()(?!\w+:)([^)#\s]+)(#[^)\s]*)?\)|(\bsrc(?:set)?=\")(?!\w+:)([^\"]+)")
METHODS = ("get", "post", "put", "patch", "delete")


def generated_pages() -> dict[str, str]:
    """The text of each page that is not a file in docs/, by its path in the site."""
    from entrypoints.cli import main  # noqa: PLC0415  (only these pages need the service)

    pages = {page: (ROOT / name).read_text() for name, page in ROOT_PAGES.items()}
    document = json.loads((ROOT / "contracts" / "api-contract.openapi.json").read_text())
    return pages | {"reference/cli.md": commands_page(main), "reference/openapi.md": api_page(document)}


def commands_page(program: click.Command) -> str:
    """The help of the program and of each of its commands, as it prints them."""
    parts = ["# Commands\n", _help(program, "evo-todo")]
    if isinstance(program, click.Group):
        for name, command in sorted(program.commands.items()):
            parts.append(f"## {name}\n\n{_help(command, f'evo-todo {name}')}")
    return "\n".join(parts)


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    return f"```text\n{command.get_help(context)}\n```\n"


def api_page(document: dict[str, Any]) -> str:
    """Each operation of an OpenAPI document with its parameters, body and responses, and the shapes of what is sent."""
    operations = [
        _operation(document, f"{method.upper()} {path}", item, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]
    shapes = [_shape(name, schema) for name, schema in document["components"]["schemas"].items()]
    version = document["info"]["version"]
    head = f"# Parameters and responses\n\nFrom the OpenAPI document of version {version}.\n"
    return "\n".join([head, *operations, "## Shapes\n", *shapes])


def _operation(document: dict[str, Any], title: str, item: dict[str, Any], operation: dict[str, Any]) -> str:
    lines = [
        f"## {operation.get('summary', title).rstrip('.')}\n",
        f"`{title}`\n",
        operation.get("description", ""),
        "",
    ]
    parameters = [_resolved(document, one) for one in [*item.get("parameters", []), *operation.get("parameters", [])]]
    if parameters:
        lines += ["| parameter | in | type | meaning |", "|---|---|---|---|"]
    for one in parameters:
        name = f"`{one['name']}`" + (" (required)" if one.get("required") else "")
        meaning = _cell(one.get("description", ""))
        lines.append(f"| {name} | {one['in']} | {_type(one['schema'], one.get('example'))} | {meaning} |")
    if "requestBody" in operation:
        lines += ["", f"Body: {_contents(operation['requestBody'])}"]
    lines += ["", "| status | meaning | body |", "|---|---|---|"]
    for status, response in operation["responses"].items():
        whole = _resolved(document, response)
        lines.append(f"| {status} | {_cell(whole.get('description', ''))} | {_contents(whole)} |")
    return "\n".join([*lines, ""])


def _shape(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    lines = [f"### {name} {{ #shape-{name} }}\n", schema.get("description", ""), ""]
    lines += ["| member | type | meaning |", "|---|---|---|"]
    for member, part in schema.get("properties", {}).items():
        named = f"`{member}`" + (" (required)" if member in required else "")
        lines.append(
            f"| {named} | {_type(part, *part.get('examples', ())[:1])} | {_cell(part.get('description', ''))} |"
        )
    return "\n".join([*lines, ""])


def _contents(body: dict[str, Any]) -> str:
    return " or ".join(f"{_type(one['schema'])} as `{kind}`" for kind, one in body.get("content", {}).items())


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = document
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


def _type(schema: dict[str, Any], example: Any = None) -> str:
    """Type, range, default and example in words, as on the service's own page."""
    from adapters.http.openapi.schema_text import limits_of, type_of  # noqa: PLC0415  (as above)

    text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
    shown = "" if example is None else f"for example <code>{escape(text, quote=False)}</code>"
    return _cell(", ".join(filter(None, [type_of(schema), limits_of(schema), shown])))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def site_links(text: str, page: str) -> str:
    """The page's text with links for the site; what is not in the site is named instead of linked.

    Args:
        text: Markdown, with links relative to the document's place in the repository.
        page: The path of the page in the site.
    """
    names = {page: name for name, page in ROOT_PAGES.items()}
    folder = posixpath.dirname(names.get(page, f"docs/{page}"))

    def site_path(target: str) -> str | None:
        path = posixpath.normpath(posixpath.join(folder, target))
        path = "docs/" + ROOT_PAGES[path] if path in ROOT_PAGES else path
        if not path.startswith("docs/") or (ROOT / path).is_dir():
            return None
        return posixpath.relpath(path.removeprefix("docs/"), posixpath.dirname(page) or ".")

    def replace(match: re.Match[str]) -> str:
        opening, target, anchor, attribute, source = match.groups()
        path = site_path(target or source)
        if attribute:
            return f"{attribute}{path or source}"
        if path is None:
            return f"{opening[1:-2]} (`{posixpath.normpath(posixpath.join(folder, target))}`)"
        return f"{opening}{path}{anchor or ''})"

    return LINK.sub(replace, text)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages (MkDocs calls it)."""
    from mkdocs.structure.files import File  # noqa: PLC0415  (tests import this module without MkDocs)

    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite a page's links (MkDocs calls it)."""
    return site_links(markdown, page.file.src_uri)
