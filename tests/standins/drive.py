"""A stand-in for Google Drive's download servers that a real client reaches over loopback.

gdown has Drive's host names built in, so a test points it here from outside, with the variables
of `DriveStandIn.environment`: HTTPS_PROXY makes the client ask this server for a tunnel to
Drive, and REQUESTS_CA_BUNDLE makes it trust the throw-away certificate at the tunnel's end.
Nothing is forwarded: the stand-in answers for Drive itself and refuses every other host.
"""

import itertools
import math
import re
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from mmap import mmap
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import trustme

FRONT_HOSTS = ("drive.google.com", "docs.google.com")
DOWNLOAD_HOST = "drive.usercontent.google.com"
HOSTS = (*FRONT_HOSTS, DOWNLOAD_HOST)
LAST_MODIFIED = "Mon, 01 Jan 2024 12:00:00 GMT"
"""The date of every file, so the If-Range condition of a resuming gdown always holds."""

_CHUNK = 1 << 20  # bytes that are sent at once

_HTML = {"Content-Type": "text/html; charset=utf-8"}
_BINARY = {
    "Content-Type": "application/octet-stream",
    "Last-Modified": LAST_MODIFIED,
    "Accept-Ranges": "bytes",
}


def _page(title: str, body: str) -> str:
    return f"<!DOCTYPE html>\n<title>{title}</title>\n{body}\n"


def _warning_page(file_id: str) -> str:
    """The page before a large file: gdown submits its form, which has to be on one line."""
    fields = {"id": file_id, "export": "download", "confirm": "t", "uuid": "0-0-0"}
    inputs = (f'<input type="hidden" name="{key}" value="{fields[key]}">' for key in fields)
    action = f"https://{DOWNLOAD_HOST}/download"
    form = f'<form id="download-form" action="{action}" method="get">{"".join(inputs)}</form>'
    return _page("Not scanned", f"<p>This file is too large to scan for viruses.</p>\n{form}")


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a file's download URL answers; with the defaults, it sends the file."""

    status: HTTPStatus = HTTPStatus.OK
    page: str | None = None
    """HTML to send in place of the file."""
    attached: bool = True
    """Send Content-Disposition, by which alone gdown tells the file from a page about it."""
    warned: bool = False
    """Show the virus-scan page to requests that do not confirm it; `times` leaves them out."""
    first: int | None = None
    """Interrupt the body after this many bytes."""
    ranges: bool = True
    """Send the rest that a client asks for; else always the whole."""
    stall: float | None = None
    """Seconds of silence at the interruption, before the rest; None hangs up instead."""
    times: int | None = None
    """How many requests to answer so before plainly sending the file; None for all.
    A gdown that resumes makes two: one without Range, whose body it drops, and one with it."""


DIRECT = Behaviour()
SCAN_WARNING = Behaviour(warned=True)
# gdown's exception quotes the paragraph of this class.
_QUOTA = """<p class="uc-error-subcaption">The download quota of this file is exceeded: \
too many users have viewed or downloaded this file recently.</p>"""
QUOTA = Behaviour(page=_page("Quota exceeded", _QUOTA), attached=False)
MISSING = Behaviour(
    status=HTTPStatus.NOT_FOUND, page=_page("Not found", "There is no such file."), attached=False
)
SIGN_IN = Behaviour(page=_page("Google Drive: Sign-in", "Sign in to go on."), attached=False)
FORBIDDEN = Behaviour(
    status=HTTPStatus.FORBIDDEN, page=_page("Forbidden", "You need access."), attached=False
)
PAGE_WITH_DISPOSITION = Behaviour(page=_page("Sign in", "This page is not a checkpoint."))


def cut(first: int, times: int = 1) -> Behaviour:
    """Announce the whole body but hang up after its `first` bytes."""
    return Behaviour(first=first, times=times)


def slow(first: int, stall: float, times: int | None = None) -> Behaviour:
    """Fall silent for `stall` seconds after the `first` bytes of the body."""
    return Behaviour(first=first, stall=stall, times=times)


def unavailable(times: int | None = 1) -> Behaviour:
    """Answer 503, as an overloaded server does."""
    page = _page("Unavailable", "The server is overloaded.")
    return Behaviour(status=HTTPStatus.SERVICE_UNAVAILABLE, page=page, attached=False, times=times)


class Request(NamedTuple):
    """What a client asked for: a GET inside a tunnel, or a CONNECT that was refused."""

    method: str
    host: str
    path: str
    range: str | None


@dataclass(frozen=True)
class _File:
    content: bytes | mmap
    name: str
    behaviour: Behaviour
    turns: Iterator[int] = field(default_factory=itertools.count)

    def next_behaviour(self) -> Behaviour:
        times = self.behaviour.times
        return self.behaviour if times is None or next(self.turns) < times else DIRECT


class _Handler(BaseHTTPRequestHandler):
    """One connection: a CONNECT in the clear, then GETs inside TLS."""

    protocol_version = "HTTP/1.1"
    server: "DriveStandIn"
    host = ""

    def handle(self) -> None:
        """Serve until either side closes; a client may give up at any moment."""
        with suppress(ConnectionError, ssl.SSLError):
            super().handle()
        self.request.close()  # The server itself would close only the socket that TLS took over.

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: `DriveStandIn.requests` is the log."""

    def do_CONNECT(self) -> None:
        """Open the tunnel that a client asks its proxy for before any HTTPS request."""
        self.host, _, port = self.path.partition(":")
        if self.host not in HOSTS or port != "443":
            self._log()
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.setup()
        self.close_connection = False  # An HTTP/1.0 CONNECT, such as gdown's, has set it.

    def do_GET(self) -> None:
        """Answer the share link with a redirect to the download URL, and that one with the file."""
        self._log()
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        file_id = query.get("id", "")
        if self.host in FRONT_HOSTS and url.path == "/uc":
            target = urlencode({"id": file_id, "export": "download"})
            location = {"Location": f"https://{DOWNLOAD_HOST}/download?{target}"}
            self._send(HTTPStatus.SEE_OTHER, b"", _HTML | location)
        elif self.host == DOWNLOAD_HOST and url.path == "/download":
            self._download(file_id, confirmed=query.get("confirm") == "t")
        else:
            self._send(HTTPStatus.NOT_FOUND, b"", _HTML)

    def _download(self, file_id: str, *, confirmed: bool) -> None:
        """Answer gdown's first, confirmed (`confirm=t`) or resuming (`Range: bytes=N-`) request."""
        file = self.server.files.get(file_id, _File(b"", "", MISSING))
        if file.behaviour.warned and not confirmed:
            self._send(HTTPStatus.OK, _warning_page(file_id).encode(), _HTML)
            return
        behaviour = file.next_behaviour()
        status, body, headers = behaviour.status, file.content, _BINARY
        if behaviour.page is not None:
            body, headers = behaviour.page.encode(), _HTML
        elif file.behaviour.ranges and (
            resumed := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        ):
            start, size = int(resumed[1]), len(body)
            status, sent = HTTPStatus.PARTIAL_CONTENT, f"{start}-{size - 1}"
            if start >= size:
                status, sent = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "*"
            body, headers = body[start:], headers | {"Content-Range": f"bytes {sent}/{size}"}
        if behaviour.attached:
            headers = headers | {"Content-Disposition": f'attachment; filename="{file.name}"'}
        self._send(status, body, headers, behaviour)

    def _send(
        self,
        status: int,
        body: bytes | mmap,
        headers: dict[str, str],
        behaviour: Behaviour = DIRECT,
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(memoryview(body)[: behaviour.first])
        if behaviour.first is None:
            return
        if behaviour.stall is None or self.server.closing.wait(behaviour.stall):
            self.close_connection = True
        else:
            self._write(memoryview(body)[behaviour.first :])

    def _write(self, body: memoryview) -> None:
        for start in range(0, len(body), _CHUNK):
            self.server.wait_for_line()
            self.wfile.write(body[start : start + _CHUNK])

    def _log(self) -> None:
        request = Request(self.command, self.host, self.path, self.headers["Range"])
        self.server.requests.append(request)


class DriveStandIn(socketserver.ThreadingTCPServer):
    """Google Drive with the files that a test adds, served while its `with` block runs."""

    daemon_threads = True

    def __init__(self, folder: Path, rate: float = math.inf) -> None:
        """Listen on a free loopback port; `folder` receives the certificate to trust.

        All transfers together come to no more than `rate`, in bytes a second.
        """
        super().__init__(("127.0.0.1", 0), _Handler)
        authority = trustme.CA()
        bundle = str(folder / "drive-ca.pem")
        authority.cert_pem.write_to_path(bundle)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(self.tls)
        proxy = f"http://127.0.0.1:{self.server_address[1]}"
        self.environment = {"HTTPS_PROXY": proxy, "https_proxy": proxy}
        self.environment |= {"NO_PROXY": "", "no_proxy": "", "REQUESTS_CA_BUNDLE": bundle}
        self.files: dict[str, _File] = {}
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.line, self.free, self.rate = threading.Lock(), 0.0, rate

    def wait_for_line(self) -> None:
        """Wait until the next chunk may go."""
        with self.line:
            self.free = max(self.free, time.monotonic()) + _CHUNK / self.rate
            seconds = self.free - time.monotonic()
        time.sleep(max(seconds, 0.0))

    def add(
        self,
        file_id: str,
        content: bytes | mmap,
        name: str = "checkpoint.pth",
        behaviour: Behaviour = DIRECT,
    ) -> None:
        """Share a file, in place of any that has the same id."""
        self.files[file_id] = _File(content, name, behaviour)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
