"""The OpenAPI document as a page for people: every call with its types, examples, curl, and a form that sends it.

Nothing is fetched from elsewhere. The page is whole without its script, which only sends what is filled in.
"""

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, Final

from adapters.http.openapi.document import document
from adapters.http.openapi.schema_text import limits_of, type_of
from adapters.http.routing import Route

_STYLE: Final = (Path(__file__).parent / "page.css").read_text("utf-8")
_SCRIPT: Final = (Path(__file__).parent / "page.js").read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


PAGE_POLICY: Final = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
    f"connect-src 'self'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; require-trusted-types-for 'script'"
)
"""The page's own Content-Security-Policy: its style sheet and its script by their hashes, and calls to this API."""

_INTRODUCTION: Final = """\
<div class="token"><label><span>Token</span>
<input id="token" type="password" autocomplete="off" spellcheck="false" placeholder="eyJhbGciOiJFZERTQSIs…"></label>
<small>For "Try it". It is sent to this API only and stored nowhere: it is gone when you leave the page. The examples
for curl take it from <code>$TOKEN</code>.</small></div>"""


@cache
def page(routes: tuple[Route, ...], root_path: str = "") -> str:
    """The whole page as HTML; the root path is where a proxy serves the API."""
    api = document(routes)
    calls = [(method, path, call) for path, item in api["paths"].items() for method, call in item.items()]
    info = api["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head>"
        f'<body class="without-script" data-base="{escape(root_path)}"><h1>{escape(info["title"])} API</h1>'
        f"<p>Version {escape(info['version'])} · "
        f'<a href="{escape(root_path)}/openapi.json">the OpenAPI document</a></p>'
        f"<p>{_prose(info['description'])}</p>{_INTRODUCTION}{_contents(calls)}"
        f"{''.join(_section(tag, calls, api, root_path) for tag in api['tags'])}"
        f"<h2>Shapes</h2>{''.join(_shape(name, schema) for name, schema in api['components']['schemas'].items())}"
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _contents(calls: list[tuple[str, str, dict[str, Any]]]) -> str:
    links = (
        f'<li><a href="#{call["operationId"]}">{method.upper()} <code>{escape(path)}</code></a></li>'
        for method, path, call in calls
    )
    return f"<nav><h2>Calls</h2><ul>{''.join(links)}</ul></nav>"


def _section(
    tag: dict[str, str], calls: list[tuple[str, str, dict[str, Any]]], api: dict[str, Any], root_path: str
) -> str:
    own = (_call(method, path, call, api, root_path) for method, path, call in calls if tag["name"] in call["tags"])
    return f"<h2>{escape(tag['name'].capitalize())}</h2><p>{_prose(tag['description'])}</p>{''.join(own)}"


def _call(method: str, path: str, call: dict[str, Any], api: dict[str, Any], root_path: str) -> str:
    parameters = [
        (
            f"<code>{escape(one['name'])}</code> <small>{one['in']}{_required(one.get('required', False))}</small>",
            _typed(one["schema"], one["description"], one.get("example")),
        )
        for one in call.get("parameters", ())
    ]
    return (
        f'<article id="{escape(call["operationId"])}"><h3><b>{method.upper()}</b> <code>{escape(path)}</code></h3>'
        f"<p>{_prose(call['summary'])}{' Needs a token.' if call.get('security') else ''}</p>"
        f"{_table('Parameters', parameters)}{_body(call)}"
        f"<h4>curl</h4><pre>{_curl(method, path, call, root_path)}</pre>"
        f"{_table('Responses', _responses(call, api))}{_try(method, path, call)}</article>"
    )


def _body(call: dict[str, Any]) -> str:
    if "requestBody" not in call:
        return ""
    content = call["requestBody"]["content"]
    first = next(iter(content.values()))
    kinds = " or ".join(f"<code>{escape(kind)}</code>" for kind in content)
    need = _required(call["requestBody"]["required"])
    return f"<h4>Body</h4><p>{type_of(first['schema'])} as {kinds}{need}</p><pre>{_json(first['example'])}</pre>"


def _responses(call: dict[str, Any], api: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, response in call["responses"].items():
        whole = api["components"]["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        text = _prose(whole["description"])
        for name, field in whole.get("headers", {}).items():
            text += f"<br><code>{escape(name)}</code> {_prose(field['description'])}"
        for kind, content in whole.get("content", {}).items():
            text += f"<br>{type_of(content['schema'])} as <code>{escape(kind)}</code>"
            text += f"<details><summary>Example</summary><pre>{_json(content['example'])}</pre></details>"
        yield f"<code>{status}</code>", text


def _curl(method: str, path: str, call: dict[str, Any], root_path: str) -> str:
    """A command that works once `$TOKEN` is set; the script replaces its origin by this page's."""
    parameters = call.get("parameters", ())
    for one in parameters:
        path = path.replace(f"{{{one['name']}}}", str(one.get("example", "")))
    url = f"'<span class=\"origin\">http://localhost:8000</span>{escape(root_path + path)}'"
    is_stream = any("text/event-stream" in response.get("content", ()) for response in call["responses"].values())
    parts = [f"curl {'-N ' if is_stream else ''}{'' if method == 'get' else f'-X {method.upper()} '}{url}"]
    if call.get("security"):
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if any(one["name"] == "Idempotency-Key" for one in parameters):
        parts.append('-H "Idempotency-Key: $(uuidgen)"')
    for kind, content in call.get("requestBody", {}).get("content", {}).items():
        example = content["example"]
        data = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
        parts += [f"-H 'Content-Type: {kind}'", f"-d {shlex.quote(data)}"]
        break
    return " \\\n  ".join([parts[0], *(escape(part, quote=False) for part in parts[1:])])


def _try(method: str, path: str, call: dict[str, Any]) -> str:
    inputs = [_input(one) for one in call.get("parameters", ())]
    for kind, content in call.get("requestBody", {}).get("content", {}).items():
        inputs.append(
            f'<label>body<textarea name="body" rows="5" data-type="{escape(kind)}" spellcheck="false">'
            f"{_json(content['example'])}</textarea></label>"
        )
        break
    return (
        f'<details><summary>Try it</summary><form data-method="{method.upper()}" data-path="{escape(path)}"'
        f'{" data-token=true" if call.get("security") else ""} autocomplete="off">{"".join(inputs)}'
        '<button type="submit">Send</button><button type="button">Stop</button><pre><output></output></pre></form>'
        "</details>"
    )


def _input(parameter: dict[str, Any]) -> str:
    example = escape(str(parameter.get("example", parameter["schema"].get("default", ""))))
    filled = f'value="{example}" required' if parameter["in"] == "path" else f'placeholder="{example}"'
    return (
        f"<label>{escape(parameter['name'])}"
        f'<input name="{escape(parameter["name"])}" data-in="{parameter["in"]}" {filled}></label>'
    )


def _shape(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (
            f"<code>{escape(member)}</code><small>{_required(member in required)}</small>",
            _typed(part, part.get("description", ""), *part.get("examples", ())[:1]),
        )
        for member, part in schema.get("properties", {}).items()
    ]
    text = _prose(schema.get("description", ""))
    return f'<article id="shape-{name}"><h3>{escape(name)}</h3><p>{text}</p>{_table("Members", rows)}</article>'


def _typed(schema: dict[str, Any], description: str, example: Any = None) -> str:
    shown = "" if example is None else f"for example <code>{_json(example)}</code>"
    facts = ", ".join(filter(None, [type_of(schema), limits_of(schema), shown]))
    return f"{facts}<br>{_prose(description)}" if description else facts


def _table(head: str, rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<tr><td>{name}</td><td>{text}</td></tr>" for name, text in rows)
    return f'<h4>{head}</h4><div class="wide"><table>{body}</table></div>' if body else ""


def _required(is_required: bool) -> str:  # noqa: FBT001  (the only argument)
    return ", required" if is_required else ""


def _prose(text: str) -> str:
    """Text for people, with what is in backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))


def _json(value: Any) -> str:
    return escape(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False), quote=False)
