"""A stand-in for a SOCKS5 proxy without a password: it connects where it is asked to."""

import contextlib
import select
import socket
import socketserver
import struct
import threading
from typing import Any, Self

NAME, ADDRESS = 3, 1  # kinds of destinations


class _Handler(socketserver.StreamRequestHandler):
    server: "SocksStandIn"

    def handle(self) -> None:
        """Answer the greeting and the request, then pass on what both sides send."""
        self.rfile.read(self.rfile.read(2)[1])
        self.wfile.write(b"\x05\x00")
        kind = self.rfile.read(4)[3]
        host = self.rfile.read(self.rfile.read(1)[0] if kind == NAME else 4)
        (port,) = struct.unpack(">H", self.rfile.read(2))
        name = host.decode() if kind == NAME else socket.inet_ntoa(host)
        self.server.asked.append(f"{name}:{port}")
        with socket.create_connection((name, port)) as other:
            self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
            with contextlib.suppress(OSError):
                self._pass_on(other)

    def _pass_on(self, other: socket.socket) -> None:
        ways = {self.connection: other, other: self.connection}
        while True:
            for one in select.select(list(ways), [], [])[0]:
                if not (content := one.recv(1 << 16)):
                    return
                ways[one].sendall(content)


class SocksStandIn(socketserver.ThreadingTCPServer):
    """The proxy, while a `with` block runs; ``asked`` lists the destinations."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        address = f"socks5h://127.0.0.1:{self.server_address[1]}"
        names = ("ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
        self.environment = {**dict.fromkeys(names, address), "NO_PROXY": "", "no_proxy": ""}

    def __enter__(self) -> Self:
        """Start to serve."""
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()
