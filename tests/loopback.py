"""A stand-in for Yahoo on 127.0.0.1 that an unmodified yfinance reaches over real HTTPS.

It is an HTTP proxy that terminates TLS with certificates of its own authority. Clients reach it through
`HTTPS_PROXY` and trust it through `REQUESTS_CA_BUNDLE`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme


@dataclass(frozen=True)
class Answer:
    """A response. `lacking` bytes of the body are announced and not sent; `delay` is in seconds."""

    status: int
    body: bytes
    content_type: str = "application/json"
    lacking: int = 0
    delay: float = 0.0
    cookie: str = ""

    @classmethod
    def json(cls, content: Any, status: int = 200) -> Answer:
        return cls(status, json.dumps(content).encode())


Route = Callable[[str, dict[str, str]], "Answer | str | None"]
"""From path and query to a response; None closes the connection, `RESET` resets it."""

RESET = "reset"


class Loopback:
    """Serves every host with one route, and records the paths and queries of requests."""

    def __init__(self, route: Route, ca_file: Path) -> None:
        self.asked: list[str] = []
        self.queries: list[tuple[str, dict[str, str]]] = []
        authority = trustme.CA()
        authority.cert_pem.write_to_path(ca_file)
        contexts: dict[str, ssl.SSLContext] = {}
        lock = threading.Lock()
        asked, queries = self.asked, self.queries
        self._leaving = leaving = threading.Event()

        def context_for(host: str) -> ssl.SSLContext:
            with lock:
                if host not in contexts:
                    contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    authority.issue_cert(host).configure_cert(contexts[host])
                return contexts[host]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def log_message(self, *args: object) -> None: ...

            def do_CONNECT(self) -> None:
                self.send_response(200)
                self.end_headers()
                host = self.path.rpartition(":")[0]
                try:
                    self.connection = context_for(host).wrap_socket(self.connection, server_side=True)
                except OSError:
                    self.close_connection = True
                    return
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb", buffering=0)
                self.close_connection = False
                while not self.close_connection:
                    self.handle_one_request()

            def finish(self) -> None:
                super().finish()
                self.connection.close()  # the server closes only the socket that it accepted, not the TLS one

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                asked.append(url.path)
                queries.append((url.path, query))
                answer = route(url.path, query)
                if not isinstance(answer, Answer):
                    if answer == RESET:
                        now = struct.pack("ii", 1, 0)
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                    self.close_connection = True
                    self.connection.close()
                    return
                leaving.wait(answer.delay)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                if answer.cookie:
                    self.send_header("Set-Cookie", answer.cookie)
                self.send_header("Content-Length", str(len(answer.body) + answer.lacking))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client may have left
                    self.wfile.write(answer.body)
                if answer.lacking:
                    self.close_connection = True
                    self.connection.close()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # exit waits for all connections to close
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def charts(self, ticker: str) -> list[dict[str, str]]:
        """Return the queries for a ticker's prices, without those for its time zone."""
        path = f"/v8/finance/chart/{ticker}"
        return [query for asked, query in list(self.queries) if asked == path and "period1" in query]


def environment(proxy: str, folder: Path) -> dict[str, str]:
    """Return the environment for a program that uses the loopback, with caches and `ca.pem` in `folder`."""
    overridden = (
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "YF_DISABLE_CURL_CFFI",
        "LSTM_STOCK_DATA",
    )
    names = {*overridden, *(name.lower() for name in overridden)}
    return {name: value for name, value in os.environ.items() if name not in names} | {
        "HTTPS_PROXY": proxy,
        "REQUESTS_CA_BUNDLE": str(folder / "ca.pem"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
