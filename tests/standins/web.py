"""A stand-in for web servers that clients reach over loopback, with and without TLS.

Three servers answer alike: https://localhost, https://127.0.0.1 (to a client another host) and
http://localhost, each on a port of its own. `environment` has clients trust their certificate.
"""

import ssl
import threading
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

import trustme


class Request(NamedTuple):
    """What was asked for: the host with its port, the path with its query, and who asked."""

    host: str
    path: str
    authorization: str | None


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, web: "WebStandIn", *connection: Any) -> None:
        self.web = web
        super().__init__(*connection)

    def do_GET(self) -> None:
        """Send a file or a redirection by the whole path; 403 for any other, as for a signature."""
        host = self.headers["Host"]
        self.web.requests.append(Request(host, self.path, self.headers["Authorization"]))
        self.web.meanwhile()
        if target := self.web.redirections.get(self.path):
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
            return
        content = self.web.files.get(self.path)
        self.send_response(403 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: Any) -> None:
        """Stay quiet: `WebStandIn.requests` is the log."""


class WebStandIn:
    """The servers, with ``files`` and ``redirections`` by path, while a `with` block runs."""

    def __init__(self, folder: Path) -> None:
        """Bind the ports; the folder receives the certificate to trust."""
        self.files: dict[str, bytes] = {}
        self.redirections: dict[str, str] = {}
        self.requests: list[Request] = []
        self.meanwhile: Callable[[], object] = lambda: None
        authority = trustme.CA()
        bundle = folder / "web-ca.pem"
        authority.cert_pem.write_to_path(str(bundle))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(tls)
        self.environment = {"REQUESTS_CA_BUNDLE": str(bundle), "NO_PROXY": "*", "no_proxy": "*"}
        handler = partial(_Handler, self)
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(3)]
        for server in self._servers[:2]:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        here, other, plain = (server.server_port for server in self._servers)
        self.here, self.other = f"localhost:{here}", f"127.0.0.1:{other}"
        self.plain = f"localhost:{plain}"

    def __enter__(self) -> Self:
        """Start to serve."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and free the ports."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
