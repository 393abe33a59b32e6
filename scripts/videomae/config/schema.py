"""Writes config.schema.yaml for editors and docs/configuration.md for readers, both from `models`.

`make schema` runs this. The text around the tables is in docs/configuration.md.jinja.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

from videomae.config.models import Config

SCHEMA = Path("config.schema.yaml")
PAGE = Path("docs/configuration.md")
TEMPLATE = Path("docs/configuration.md.jinja")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
NOTE = "# Written by `make schema` from scripts/videomae/config/models.py; edit that file."

Node = dict[str, Any]


class Generator(GenerateJsonSchema):
    """Makes a schema in which an optional key may be left out, but not be empty."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        """Return the schema without null as a value."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        """Return the schema without null as the default."""
        if "default" in schema and schema["default"] is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (pydantic's)
        """Return False: titles would only repeat the keys."""
        return False


def schema() -> Node:
    """Return the JSON schema of a config.yaml."""
    return {"$schema": DIALECT, **Config.model_json_schema(schema_generator=Generator)}


def schema_text() -> str:
    """Return the content of config.schema.yaml."""
    text = yaml.safe_dump(schema(), sort_keys=False, allow_unicode=True, width=100)
    return f"{NOTE}\n{text}"


def page(template: str) -> str:
    """Return the content of docs/configuration.md, made from its template."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(table=Tables(schema()).table)


class Tables:
    """The tables of docs/configuration.md: key, type, default, meaning."""

    def __init__(self, root: Node) -> None:
        self.models: dict[str, Node] = {"Config": root, **root["$defs"]}

    def table(self, model: str, keys: str = "") -> str:
        """Return the table of a model's keys, or of the given ones; required keys come first."""
        properties, required = (
            self.models[model]["properties"],
            self.models[model].get("required", []),
        )
        names = keys.split() or [*required, *(key for key in properties if key not in required)]
        rows = [
            (f"`{name}`", self._type(node), _default(node, name in required), node["description"])
            for name in names
            for node in [properties[name]]
        ]
        lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
        head = ["key | type | default | meaning", "--- | --- | --- | ---"]
        return "\n".join(f"| {line} |" for line in [*head, *lines])

    def _type(self, node: Node, plural: str = "") -> str:
        """Return in words which values a key may have; ``plural`` is "s" for items of a list."""
        if "$ref" in node:
            return LINKS[node["$ref"].rpartition("/")[2]]
        if several := node.get("oneOf"):
            return " or ".join(self._type(one, plural) for one in several)
        if "enum" in node:
            return ", ".join(f"`{value}`" for value in node["enum"])
        if node["type"] == "array":
            exactly = f"{node['maxItems']} " if "maxItems" in node else ""  # and at least so many
            return f"list{plural} of {exactly}{self._type(node['items'], 's')}"
        if node["type"] == "object":
            by_pattern = node.get("patternProperties", {}).values()
            below = node.get("additionalProperties") or next(iter(by_pattern))
            names = self._type(node["propertyNames"]) if "propertyNames" in node else "NAME"
            return f"{names}: {self._type(below)}"
        return _plain(node, plural)


# In tables a model is shown as a link to the heading above its own table.
HEADINGS = {
    "Entry": "variants.NAME",
    "Values": "config",
    "Recorded": "recorded",
    "Loss": "recorded.loss",
    "Conditions": "recorded_under.NAME",
    "Overrides": "recorded.config",
    "Published": "variants.NAME.published",
    "Push": "push",
    "Score": "score",
}
LINKS = {
    model: f"[keys of {heading}](#{re.sub(r'[^a-z_]', '', heading.lower())})"
    for model, heading in HEADINGS.items()
}


def _plain(node: Node, plural: str) -> str:
    """Return in words a number, switch or text, with its limits."""
    words = {"integer": "whole number", "string": "text"}
    limits = {"minimum": "from {:g}", "maximum": "to {:g}", "exclusiveMinimum": "above {:g}"}
    if node["type"] == "boolean":
        return "true or false"
    said = [f"{words.get(node['type'], node['type'])}{plural}"]
    said += [text.format(node[name]) for name, text in limits.items() if name in node]
    said += [f"matching `{node['pattern']}`"] if "pattern" in node else []
    return " ".join(said)


def _default(node: Node, required: bool) -> str:
    if "default" not in node:
        return "**required**" if required else "–"
    if node["default"] == node.get("items", {}).get("enum"):
        return "all of them"
    return f"`{json.dumps(node['default'])}`"


def main(root: Path = Path()) -> None:
    """Write both files into the project's folder."""
    (root / SCHEMA).write_text(schema_text(), encoding="utf-8")
    text = (root / TEMPLATE).read_text(encoding="utf-8")
    (root / PAGE).write_text(page(text), encoding="utf-8")


if __name__ == "__main__":
    main()
