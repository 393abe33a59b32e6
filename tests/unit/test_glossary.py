"""The glossary: phrases that texts for users must not have, and the better words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# A pattern of a phrase, in lower or upper case, and what to write instead.
BANNED = {
    r"\bat hand\b": "local, or available",
    r"\bbrought (from|to|again|here|in vain)\b|\bto be brought\b|\bis brought\b": "downloaded",
    r"\bheld to\b": "must match, or: the expected checksum",
    r"\b(two|they|networks?|outputs?) part at\b": "outputs first differ at",
    r"\bweights from a rule\b": "synthetic weights",
    r"\brightly\b": "correctly, or: tested with",
    r"\bthe held\b": "the name of the thing",
    r"\b(is|are|was|were) told\b": "is given, or: gets",
    r"\btold apart\b": "distinguished",
    r"\bwhat was found\b": "the name of the thing",
    r"\bwhoever\b": "a user who",
    r"\b(file|video|clip) that is cut\b|\bcut (short|off)\b": "truncated",
    r"\bnothing (tells|stands)\b": "is unknown, or: is empty",
    r"\b(has|have) not[.,;)]": "lacks",
    r"\bwhat is kept\b|\bgave is kept\b": "is cached",
    r"\bothers alike\b": "others likewise",
    r"\bno way of its own\b": "the name of the thing",
}

HELP_BY_DOCSTRING = ("cli/", "config/models.py", "config/entry.py")


def words(node: ast.AST) -> str | None:
    """Return the text of a string literal, with … for each value in an f-string."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(words(part) or "…" for part in node.values)
    return None


def docstring(node: ast.AST) -> ast.AST | None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    body = node.body if isinstance(node, documented) else []
    first = body[0] if body else None
    return first.value if isinstance(first, ast.Expr) else None


def python_texts(code: str, with_docstrings: bool) -> Iterator[str]:
    """Yield the string literals of several words: messages, printed lines and help texts.

    Docstrings are texts for users only where a help or a schema shows them.
    """

    def visit(node: ast.AST, is_docstring: bool = False) -> Iterator[str]:
        if (text := words(node)) is not None:
            if " " in text and (with_docstrings or not is_docstring):
                yield text
            return
        for child in ast.iter_child_nodes(node):
            skipped = docstring(node)
            if isinstance(child, ast.Expr) and child.value is skipped:
                yield from visit(child.value, is_docstring=True)
            else:
                yield from visit(child)

    yield from visit(ast.parse(code))


def texts(path: Path, content: str) -> Iterator[str]:
    """Yield what users can read of a file's content."""
    if path.suffix == ".py":
        name = path.as_posix()
        yield from python_texts(content, any(part in name for part in HELP_BY_DOCSTRING))
    elif path.suffix == ".smk" or path.name == "Snakefile":
        lines = [line for line in content.splitlines() if not line.lstrip().startswith("#")]
        yield re.sub(r'"\n\s*f?"', "", "\n".join(lines))
    else:
        yield content


def faults(path: Path, content: str) -> list[str]:
    """Return each banned phrase in a file's texts, with the better word."""
    return [
        f"{found[0]!r} in {text[max(found.start() - 40, 0) : found.end() + 40]!r}: write {better}"
        for text in (" ".join(one.split()) for one in texts(path, content))
        for pattern, better in BANNED.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
    ]


SOURCES = sorted(
    path
    for pattern in (
        "README.md",
        "Snakefile",
        "config.schema.yaml",
        "docs/*.md",
        "docs/*.jinja",
        "report/*.rst",
        "rules/*.smk",
        "scripts/**/*.py",
        "scripts/**/*.jinja",
    )
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_for_users_have_no_banned_phrase(path: Path) -> None:
    assert faults(path.relative_to(ROOT), path.read_text(encoding="utf-8")) == []


def test_every_kind_of_source_is_read() -> None:
    kinds = {path.suffix or path.name for path in SOURCES}
    assert kinds == {".py", ".smk", ".md", ".jinja", ".rst", ".yaml", "Snakefile"}
    read = {path.relative_to(ROOT).as_posix() for path in SOURCES}
    assert {"README.md", "scripts/videomae/errors.py", "scripts/videomae/cli/main.py"} <= read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.py", 'raise ConversionError(f"{path} is not at hand; give another")'),
        ("m.py", 'raise ConversionError(\n    f"{path} is at "\n    "hand; give another"\n)'),
        ("m.py", 'parser.add_argument("--file", help="a file at hand")'),
        ("m.py", 'def f():\n    """Return the file."""\n    print("a file at hand")'),
        ("videomae/cli/m.py", '"""Link a file at hand."""'),
        ("rules/m.smk", 'rule one:\n    """Link a file at hand."""\n'),
        ("rules/m.smk", 'raise WorkflowError(\n    "no file at "\n    f"hand"\n)\n'),
        ("card.md.jinja", "The file {{ name }} at\nhand."),
        ("README.md", "A file that is\nAt hand."),
    ],
)
def test_planted_phrase_is_found(name: str, content: str) -> None:
    (fault,) = faults(Path(name), content)
    assert fault.lower().startswith("'at hand' in ")
    assert fault.endswith("write local, or available")


@pytest.mark.parametrize(
    "content",
    ['"""Return the file at hand."""', "held = at_hand  # at hand", 'x = "at_hand"'],
)
def test_comments_names_and_internal_docstrings_are_not_texts_for_users(content: str) -> None:
    assert faults(Path("scripts/videomae/m.py"), content) == []


@pytest.mark.parametrize("pattern", BANNED)
def test_better_words_are_not_banned_themselves(pattern: str) -> None:
    assert not any(re.search(other, BANNED[pattern]) for other in BANNED)
