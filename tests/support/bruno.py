"""The collection for Bruno in clients/bruno, from the kept document: `python -m tests.support.bruno` writes it."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "clients" / "bruno"
DOCUMENT: Final = ROOT / "contracts" / "api-contract.openapi.json"

_COLLECTION: Final = {"version": "1", "name": "Evo-TODO", "type": "collection", "ignore": []}
_VARIABLES: Final = {"user_id": "{{user_id}}", "task_id": "{{task_id}}"}
_BODIES: Final = {"application/json": "json", "application/secevent+jwt": "text"}


def collection(document: dict[str, Any]) -> dict[str, str]:
    """The files of the collection, by their paths in its folder."""
    files = {
        "bruno.json": json.dumps(_COLLECTION, indent=2) + "\n",
        "collection.bru": _block("auth", {"mode": "bearer"}) + "\n" + _block("auth:bearer", {"token": "{{token}}"}),
        "environments/local.bru": _environment(document),
    }
    number = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            number += 1
            files[f"{operation['tags'][0]}/{operation['operationId']}.bru"] = _request(number, method, path, operation)
    return files


def _environment(document: dict[str, Any]) -> str:
    calls = [operation for item in document["paths"].values() for operation in item.values()]
    task_id = next(p["example"] for call in calls for p in call["parameters"] if p["name"] == "task_id")
    values = {"base_url": "http://localhost:8000", "user_id": "alice", "task_id": task_id}
    return _block("vars", values) + "vars:secret [\n  token\n]\n"


def _request(number: int, method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = operation["parameters"]
    content = operation.get("requestBody", {}).get("content", {})
    kind = next((_BODIES[name] for name in content), "none")
    auth = "inherit" if operation.get("security") else "none"
    address = "{{base_url}}" + path.replace("{", ":").replace("}", "")
    blocks = [
        _block("meta", {"name": operation["operationId"], "type": "http", "seq": str(number)}),
        _block(method, {"url": address, "body": kind, "auth": auth}),
        _block("params:query", {f"~{p['name']}": _value(p) for p in parameters if p["in"] == "query"}),
        _block("params:path", {p["name"]: _VARIABLES[p["name"]] for p in parameters if p["in"] == "path"}),
        _block("headers", _headers(parameters, content)),
    ]
    if content:
        example = next(iter(content.values()))["example"]
        text = example if kind == "text" else json.dumps(example, indent=2, ensure_ascii=False)
        blocks.append(_text(f"body:{kind}", text))
    blocks.append(_text("docs", operation["summary"]))
    return "\n".join(block for block in blocks if block)


def _headers(parameters: list[dict[str, Any]], content: dict[str, Any]) -> dict[str, str]:
    """The header fields; those that change what a call does are switched off (`~`)."""
    fields = {f"~{p['name']}": _value(p) for p in parameters if p["in"] == "header"}
    if "~Idempotency-Key" in fields:
        del fields["~Idempotency-Key"]
        fields["Idempotency-Key"] = "{{$guid}}"
    if content and next(iter(content)) != "application/json":
        fields["Content-Type"] = next(iter(content))
    return fields


def _value(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    value = parameter.get("example", schema.get("default", schema.get("enum", [""])[0]))
    return value if isinstance(value, str) else json.dumps(value)


def _block(name: str, members: dict[str, str]) -> str:
    lines = "".join(f"  {key}: {value}".rstrip() + "\n" for key, value in members.items())
    return f"{name} {{\n{lines}}}\n" if members else ""


def _text(name: str, text: str) -> str:
    return f"{name} {{\n" + "".join(f"  {line}\n" for line in text.splitlines()) + "}\n"


def main() -> None:
    """Write the collection anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, text in collection(json.loads(DOCUMENT.read_text())).items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
