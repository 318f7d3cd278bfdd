"""An HTTP server of a test's own: it answers by a function, or passes on to a real one."""

import http.client
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked: the path, the query and the headers, in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    target: str


Answer: TypeAlias = Callable[[Ask], Reply]


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[str]:
    """Give the address of a server that answers by `answer`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            headers = {key.lower(): value for key, value in self.headers.items()}
            query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
            reply = answer(Ask(urllib.parse.unquote(parts.path), query, headers, self.path))
            self.send_response(reply.status)
            for key, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(key, value)
            with suppress(ConnectionError):  # whoever asked may be gone by now
                self.end_headers()
                self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a test breaks connections
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pass_on(base: str, ask: Ask) -> Reply:
    """Return what the server at `base` answers."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", ask.target)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read())
    finally:
        connection.close()
