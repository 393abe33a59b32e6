"""May Snakemake load this config.yaml?  Looked at as text, before anything is made of it.

Snakemake itself says of a broken file only that it is broken, runs the Python code of one that asks
for it by ``__use_yte__``, and takes the last of two values; and a few lines of aliases, each twice
the one before, are more values than there is time for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from videomae.errors import ConversionError

DEEPEST = 20  # lists and mappings in one another; ours has six
MOST = 100_000  # values, each as often as aliases repeat it
TEMPLATE = "__use_yte__"


def check(path: Path) -> None:
    """Refuse a file that is no plain YAML; raises `ConversionError` with the line."""
    try:
        text = path.read_text(encoding="utf-8")
        _check_depth(text)
        root = yaml.compose(text, loader(text))
    except UnicodeDecodeError as error:
        raise ConversionError(f"not UTF-8: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConversionError(f"{_line(mark)}{error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConversionError(" ".join(str(error).split())) from error
    if not isinstance(root, yaml.MappingNode):
        raise ConversionError("it must have keys at its top level, such as variants")
    _count(root, {})


def loader(text: str) -> Any:
    """Give PyYAML's loader in C, which is ten times as fast, unless there are tabs in a text.

    It takes some that Snakemake's loader, in Python, refuses.
    """
    return yaml.SafeLoader if "\t" in text else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, loader(text)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConversionError(f"{_line(event.start_mark)}more than {DEEPEST} levels deep")


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """Count the values that a node stands for; refuse what has no place in a config.yaml."""
    if id(node) in counted:
        if not counted[id(node)]:
            raise ConversionError(f"{_line(node.start_mark)}holds itself, by an alias")
        return counted[id(node)]
    counted[id(node)] = 0  # while it is being counted
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise ConversionError(f"{_line(node.start_mark)}{node.tag} is not plain YAML")
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    count = 1 + sum(_count(child, counted) for child in _children(node))
    if count > MOST:
        raise ConversionError(
            f"{_line(node.start_mark)}stands for {count:,} values by its aliases; at most {MOST:,} "
            "are read"
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
            raise ConversionError(f"{_line(key.start_mark)}{TEMPLATE} would run code; write it out")
        if key.value in seen:
            raise ConversionError(
                f"{_line(key.start_mark)}{key.value} stands in line {seen[key.value]} already"
            )
        seen[key.value] = line


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}: " if mark else ""
