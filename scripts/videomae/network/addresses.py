"""Shows and stores web addresses without their secrets.

A user and a password before the host, and a signature or a token in the query, give access to a
file. So receipts, checkpoints.lock, cards, logs, commands and Snakemake's records have an address
without them, and the step that downloads finds the whole address in its environment.
"""

import hashlib
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from videomae.errors import ConversionError

HTTPS = "https://"
HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?")
MARK = re.compile(r"query-[0-9a-f]{12}")

# Parameters that sign an address or let somebody in: of Amazon, Google, Azure, CloudFront, and by
# the names that others give them.
SECRET = re.compile(
    r"(?i)x-(amz|goog|ms)-.*|awsaccesskeyid|googleaccessid|key-pair-id|policy|signature|hmac|"
    r".*(token|secret|passw|credential|session|jwt).*|(api|access)[-_]?key|pass|pwd|auth.*|"
    r"user(name)?|login|expir(es|y|ation)|exp|response-.*"
)
AZURE = re.compile(r"s(v|s|rt|r|p|e|t|pr|ip|i|ig|dd|koid|ktid|kt|ke|ks|kv|aoid|uoid|cid)|rsc.")

# In any text: a user before a host, and a query, which clients also name without the host.
USER = re.compile(r"(?<=://)[^\s/?#@'\"]*(?:@[^\s/?#@'\"]*)*@")
QUERY = re.compile(r"(?<=[^\s?'\"(])\?[^\s'\"<>)]+")


@cache
def shown(text: str) -> str:
    """Return a source as it is stored and shown: a web address without user and query.

    A query may also say which file is meant, as in ?file=7. So a mark made from the parameters
    that are no secret by their names stays, as a fragment: two files have two names, and a new
    signature is no new file. Whoever sees the mark can only try out queries, and scrypt makes each
    try cost a twentieth of a second, in case a password has a name that is not known here.
    """
    if not text.startswith(HTTPS):
        return text
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    if not HOST.fullmatch(host):
        raise ConversionError(
            "an https address has no valid host (not shown here, because it may contain a "
            "password); in a user or password, write / ? # @ as %2F %3F %23 %40"
        )
    bare = f"{HTTPS}{host}{parts.path}"
    given = parse_qsl(parts.query, keep_blank_values=True)
    signed_by_azure = any(name == "sig" for name, _ in given)
    telling = sorted(
        (name, value)
        for name, value in given
        if not SECRET.fullmatch(name) and not (signed_by_azure and AZURE.fullmatch(name))
    )
    if telling:
        query = urlencode(telling).encode()
        mark = hashlib.scrypt(query, salt=bare.encode(), n=2**14, r=8, p=1, dklen=6)
        return f"{bare}#query-{mark.hex()}"
    return f"{bare}#{parts.fragment}" if is_marked(text) and not given else bare


def is_marked(address: str) -> bool:
    """Return whether an address as it is shown had a query that says which file is meant."""
    return MARK.fullmatch(urlsplit(address).fragment) is not None


def redacted(text: str) -> str:
    """Return a text, such as a client's error, without users and queries of addresses in it."""
    return QUERY.sub("", USER.sub("", text))


def check_encrypted(url: str, location: str) -> None:
    """Raise `ConversionError` for a redirection from https to anything else."""
    target = urljoin(url, location)
    if urlsplit(target).scheme != "https":
        raise ConversionError(
            f"{redacted(url)} redirects to {redacted(target)}, which is not encrypted; give an "
            "address that stays with https"
        )


def refuse_unencrypted(response: Any, *_: object, **__: object) -> None:
    """Check each redirection, as a hook of `requests`, before it is followed."""
    if response.is_redirect:
        check_encrypted(response.url, response.headers["location"])
