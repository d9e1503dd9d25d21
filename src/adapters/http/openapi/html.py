"""The OpenAPI document as a page for people: no script, nothing fetched, readable with any browser."""

import base64
import json
from functools import cache
from hashlib import sha256
from html import escape
from typing import Any, Final

from adapters.http.openapi.document import document
from adapters.http.routing import Route

_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--accent:#0a6}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
article{border:1px solid var(--line);border-radius:.5rem;padding:0 1rem 1rem;margin:1rem 0}
h3 code{font-size:1rem}h3 b{color:var(--accent)}
pre,code{font-family:ui-monospace,monospace;font-size:.875rem}
pre{background:var(--soft);padding:.75rem;overflow-x:auto;border-radius:.25rem}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid var(--line);padding:.25rem .5rem;
text-align:left;vertical-align:top;overflow-wrap:anywhere}
"""

PAGE_POLICY: Final = (
    "default-src 'none'; frame-ancestors 'none'; img-src data:; "
    f"style-src 'sha256-{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)
"""The page's own Content-Security-Policy: its one style sheet, by its hash."""


@cache
def page(routes: tuple[Route, ...], root_path: str = "") -> str:
    """The whole page as HTML; the root path is where a proxy serves the API."""
    api = document(routes)
    operations = [
        _operation(method, path, operation, api)
        for path, item in api["paths"].items()
        for method, operation in item.items()
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(api['info']['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(api['info']['title'])} API</h1><p>Version {escape(api['info']['version'])} · "
        f'<a href="{root_path}/openapi.json">the OpenAPI document</a></p>'
        f"<p>{escape(api['info']['description'])}</p><h2>Calls</h2>{''.join(operations)}"
        f"<h2>Shapes</h2>{''.join(_shape(name, schema) for name, schema in api['components']['schemas'].items())}"
        "</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], api: dict[str, Any]) -> str:
    rows = [
        (f"{parameter['name']} ({parameter['in']})", parameter["description"])
        for parameter in operation.get("parameters", [])
    ]
    responses = []
    for status, response in operation["responses"].items():
        whole = api["components"]["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        responses.append((status, whole["description"]))
    return (
        f'<article id="{escape(operation["operationId"])}">'
        f"<h3><b>{method.upper()}</b> <code>{escape(path)}</code></h3>"
        f"<p>{escape(operation['summary'])}"
        f"{' Needs a token.' if operation.get('security') else ''}</p>"
        f"{_table('Parameter', rows)}{_examples('Request body', operation.get('requestBody', {}))}"
        f"{_table('Response', responses)}{''.join(_examples('Example', a) for a in operation['responses'].values())}"
        "</article>"
    )


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    body = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table><tr><th>{head}</th><th></th></tr>{body}</table>" if rows else ""


def _examples(head: str, part: dict[str, Any]) -> str:
    example = next((content["example"] for content in part.get("content", {}).values() if "example" in content), None)
    return f"<p>{head}</p><pre>{_json(example)}</pre>" if example is not None else ""


def _shape(name: str, schema: dict[str, Any]) -> str:
    return f"<article><h3>{escape(name)}</h3><pre>{_json(schema)}</pre></article>"


def _json(value: Any) -> str:
    return escape(json.dumps(value, indent=2, ensure_ascii=False))
