"""README.md is short, and every link in it and in docs/ leads to a file and a heading."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

LONGEST = 150  # lines of the README
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def links(text: str) -> list[str]:
    """Give the targets of all links but those to other sites; code shows no links."""
    return [link for link in LINK.findall(CODE.sub("", text)) if "://" not in link]


def headings(text: str) -> list[str]:
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#+ +(.*?) *$", without_blocks, re.MULTILINE)


def on_a_code_host(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-")


def on_the_site(heading: str) -> str:
    """As MkDocs names headings, with the settings of mkdocs.yml."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def wrong_links(document: Path, root: Path) -> list[str]:
    """Give the links of a document that lead to no file, or to no heading of it."""
    wrong = []
    for link in links(document.read_text()):
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        inside = root / "docs" if document.parent.name == "docs" else root
        if not target.is_file() or not target.is_relative_to(inside.resolve()):
            wrong.append(link)
        elif anchor:
            found = headings(target.read_text())
            sides = (on_a_code_host, on_the_site)
            if any([*map(side, found)].count(anchor) != 1 for side in sides):
                wrong.append(link)
    return wrong


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    assert wrong_links(document, ROOT) == []


def test_readme_names_every_page() -> None:
    linked = set(links((ROOT / "README.md").read_text()))
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert len(pages) > 8
    assert pages <= linked


def test_wrong_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Top\n")
    page = tmp_path / "docs/page.md"
    page.write_text(
        "# Why is it so?\n## Twice\n## Twice\n`[code](none.md)` [site](https://a.example/x)\n"
        "[right](#why-is-it-so) [right](page.md#why-is-it-so)\n"
        "[gone](none.md) [gone](#none) [gone](page.md#none) [twice](#twice) [out](../README.md)\n"
    )
    wrong = ["none.md", "#none", "page.md#none", "#twice", "../README.md"]
    assert wrong_links(page, tmp_path) == wrong
