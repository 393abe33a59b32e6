"""Checks the text of a config.yaml before Snakemake loads it.

Snakemake doesn't say what is wrong with a broken file, runs Python code in a file that has
``__use_yte__``, and silently takes the last of two values for a key. A few lines of nested aliases
can also expand to more values than any program can read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from videomae.errors import ConversionError

DEEPEST = 20  # levels of nested lists and mappings; our config.yaml has six
MOST = 100_000  # values after aliases are expanded
TEMPLATE = "__use_yte__"


def check(path: Path) -> None:
    """Raise `ConversionError` with the line if a file is not plain YAML."""
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text)
        root = yaml.compose(text, loader(text))
    except UnicodeDecodeError as error:
        raise ConversionError(f"the file is not UTF-8: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConversionError(f"{_line(mark)}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConversionError(" ".join(str(error).split())) from error
    if not isinstance(root, yaml.MappingNode):
        raise ConversionError("the file must have keys at its top level, such as variants")
    _count(root, {})


def loader(text: str) -> Any:
    """Return PyYAML's loader in C, which is ten times as fast, unless a text has tabs.

    It takes some that Snakemake's loader, in Python, refuses.
    """
    return yaml.SafeLoader if "\t" in text else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, loader(text)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConversionError(f"{_line(event.start_mark)}more than {DEEPEST} nested levels")


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """Return the number of values in a node; raise `ConversionError` for unsafe nodes."""
    if id(node) in counted:
        if not counted[id(node)]:
            raise ConversionError(
                f"{_line(node.start_mark)}an alias makes the value contain itself"
            )
        return counted[id(node)]
    counted[id(node)] = 0  # while it is being counted
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise ConversionError(f"{_line(node.start_mark)}{node.tag} is not plain YAML")
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    count = 1 + sum(_count(child, counted) for child in _children(node))
    if count > MOST:
        raise ConversionError(
            f"{_line(node.start_mark)}aliases expand to {count:,} values; at most {MOST:,} are "
            "allowed"
        )
    counted[id(node)] = count
    return count


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (child for pair in node.value for child in pair)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_keys(node: yaml.MappingNode) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConversionError(f"{_line(key.start_mark)}a key must be text")
        if key.value == TEMPLATE:
            raise ConversionError(f"{_line(key.start_mark)}{TEMPLATE} would run code; remove it")
        if key.value in seen:
            raise ConversionError(
                f"{_line(key.start_mark)}the key {key.value} is already in line {seen[key.value]}"
            )
        seen[key.value] = line


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}: " if mark else ""
