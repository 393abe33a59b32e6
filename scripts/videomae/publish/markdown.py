"""Escapes texts for Markdown, so that they are shown and not interpreted.

Names in a checkpoint, labels, paths and what a loader says may hold anything: backticks, the bars
of a table, HTML, links, other lines.
"""

import re
from urllib.parse import quote

from videomae.errors import one_line

# All that begins or ends something in Markdown or HTML, inside a line or a table's cell.
MARKUP = re.compile(r"[&<>`|\\\[\]*~$]|(?<!\w)_|_(?!\w)|(?<=https)://|(?<=http)://|(?<=www)\.|@")


def plain(text: object) -> str:
    """Return a text on one line, with Markdown's special characters as entities."""
    return MARKUP.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), one_line(str(text)))


def code(text: object) -> str:
    """Return a text as code, in one line, also within a table."""
    line = one_line(str(text)).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def address(url: str) -> str:
    """Return an address as the target of a link, which it can't end."""
    return quote(one_line(url), safe="/:?#&=%@+,;~!$'*-._")
