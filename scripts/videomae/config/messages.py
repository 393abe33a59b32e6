"""Explains a fault in config.yaml in one line: the path, the value and the allowed values."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from videomae.config.schema import schema as schema_of_config
from videomae.config.types import EMPTY, KIND, REFUSED, TAGS
from videomae.errors import one_line, suggestion
from videomae.network import addresses

KEY = "[key]"  # in pydantic's path if the key itself is wrong
Schema = Mapping[str, Any]

# Messages by pydantic's type of the error; for other types pydantic's own words are used.
WORDS = {
    EMPTY: "the value is empty; give one, or leave the key out",
    KIND: "{value!r} is not {msg}",
    REFUSED: "{text}",
    "bool_type": "{value!r} is not true or false",
    "dict_type": "{value!r} is not a mapping of keys to values",
    "finite_number": "{value!r} is not a finite number",
    "float_type": "{value!r} is not a number",
    "greater_than": "{value!r} is not greater than {gt:g}",
    "greater_than_equal": "{value!r} is less than the minimum of {ge:g}",
    "int_type": "{value!r} is not a whole number",
    "invalid_key": "a key must be text",
    "less_than_equal": "{value!r} is greater than the maximum of {le:g}",
    "list_type": "{value!r} is not a list",
    "model_type": "{value!r} is not a mapping of keys to values",
    "string_pattern_mismatch": "{value!r} does not match {pattern}",
    "string_too_short": "the text is empty",
    "string_type": "{value!r} is not text",
    "string_unicode": "{value!r} has bytes that are not UTF-8",
    "too_long": "{value!r} has more than {max_length} items",
    "too_short": "{value!r} has fewer than {min_length} items",
}


def explain(error: ValidationError) -> str:
    """Return one line about the first error and the number of the others, without secrets."""
    # A misspelt key first: it may be the one that another error calls missing.
    errors = sorted(
        error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden"
    )
    others = len(errors) - 1
    more = f" (and {others} more error{'s' * (others > 1)})" if others else ""
    return one_line(addresses.redacted(_said(errors[0]))) + more


def _said(error: ErrorDetails) -> str:
    keys = [key for key in error["loc"] if key not in TAGS and key != KEY]
    *parents, last = keys or [""]
    path = ".".join(map(str, keys))
    schema = schema_of_config()
    if error["type"] == "extra_forbidden":
        allowed = _properties(schema, parents)
        return (
            f"{path}: unknown key{suggestion(str(last), allowed)}; known keys: {', '.join(allowed)}"
        )
    if error["type"] == "missing":
        where = ".".join(map(str, parents)) or "top level"
        return f"{where}: the key `{last}` is missing{_meaning(schema, keys)}"
    if error["type"] == REFUSED and not keys:  # the text begins with its key
        return str(error["ctx"]["text"])
    return f"{path or 'top level'}: {_value(error, schema, keys)}"


def _value(error: ErrorDetails, schema: Schema, keys: list[int | str]) -> str:
    """Return what is wrong with a value or with the key itself, and what it should be."""
    value, subject = error["input"], ""
    if error["loc"][-1:] == (KEY,):
        keys, subject = [*keys[:-1], KEY], "the key "
    if error["type"] == "literal_error":
        allowed = [str(one) for node in _nodes(schema, keys) for one in node.get("enum", [])]
        known = f"{', '.join(allowed)}{suggestion(str(value), allowed)}"
        return f"{subject}{value!r} is not one of {known}"
    words = WORDS.get(error["type"], "{value!r}: {msg}")
    said = words.format(**{**error.get("ctx", {}), "value": value, "msg": error["msg"]})
    return subject + said + ("" if error["type"] == REFUSED else _meaning(schema, keys))


# -- the same place in the schema ------------------------------------------------------------------


def _nodes(schema: Schema, keys: list[int | str]) -> list[Schema]:
    """Return the schema's nodes for the value at a path; several if it may have several types."""
    nodes = list(_alternatives(schema, schema))
    for key in keys:
        below = [child for node in nodes for child in _children(node, key)]
        nodes = [one for child in below for one in _alternatives(schema, child)]
    return nodes


def _alternatives(schema: Schema, node: Schema) -> Iterator[Schema]:
    yield node
    if "$ref" in node:
        yield from _alternatives(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    for one in (*node.get("oneOf", ()), *node.get("anyOf", ())):
        yield from _alternatives(schema, one)


def _children(node: Schema, key: int | str) -> Iterator[Schema]:
    named = node.get("properties", {})
    if key == KEY:
        yield from (node[name] for name in ("propertyNames",) if name in node)
    elif key in named:
        yield named[key]
    elif isinstance(key, int):
        yield from (node[name] for name in ("items",) if name in node)
    else:
        yield from node.get("patternProperties", {}).values()
        if isinstance(more := node.get("additionalProperties"), dict):
            yield more


def _properties(schema: Schema, keys: list[int | str]) -> list[str]:
    return [name for node in _nodes(schema, keys) for name in node.get("properties", {})]


def _meaning(schema: Schema, keys: list[int | str]) -> str:
    """Return the help text of a key for a message; empty for a model's own docstring."""
    models = schema["$defs"].values()
    nodes = [node for node in _nodes(schema, keys) if node not in models] if keys else []
    told = [node["description"] for node in nodes if "description" in node]
    return f" (meaning: {told[0]})" if told else ""
