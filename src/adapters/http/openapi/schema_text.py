"""A schema in words: its type, range, default, and what else it demands."""

import json
from html import escape
from typing import Any, Final

_LONGEST_PATTERN: Final = 60
"""Longer ones are not readable: the description says what they mean."""


def type_of(schema: dict[str, Any]) -> str:
    """The type as HTML, with links to other shapes."""
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            text = f'<a href="#shape-{name}">{name}</a>'
        case {"anyOf": parts}:
            text = " or ".join(map(type_of, parts))
        case {"enum": values}:
            text = " | ".join(f"<code>{escape(value)}</code>" for value in values)
        case {"type": "array", "items": items}:
            text = f"array of {type_of(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            text = f"object of {type_of(values)}"
        case _:
            name = schema.get("type", "anything")
            text = f"{name} ({schema['format']})" if "format" in schema else name
    return text


def limits_of(schema: dict[str, Any]) -> str:
    """Range, pattern and default as HTML; empty where there are none."""
    whole = {key: value for part in schema.get("anyOf", ()) for key, value in part.items()} | schema
    parts = []
    if length := _range(whole.get("minLength"), whole.get("maxLength")):
        parts.append(f"{length} characters")
    if values := _range(whole.get("minimum"), whole.get("maximum")):
        parts.append(values)
    if len(pattern := whole.get("pattern", "")) in range(1, _LONGEST_PATTERN):
        parts.append(f"pattern <code>{escape(pattern)}</code>")
    if "default" in whole:
        parts.append(f"default <code>{escape(json.dumps(whole['default']))}</code>")
    return ", ".join(parts)


def _range(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f"{least} to {most}"
    if most is not None:
        return f"at most {most}"
    return "" if least is None else f"at least {least}"
