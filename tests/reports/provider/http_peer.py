"""A real HTTP server on this computer that answers exactly what a test tells it to."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

Answer = Callable[[BaseHTTPRequestHandler], None]


class Peer:
    """Plays `script`: one answer a request, the last one again and again. Keeps what was asked."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.forms: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()  # ends answers that are still dripping
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                peer.forms.append(dict(parse_qsl(body.decode(), keep_blank_values=True)))
                peer.paths.append(self.path)
                peer.headers.append(dict(self.headers))
                with suppress(OSError):  # the client may hang up, that is what some tests are about
                    peer.script[min(len(peer.forms), len(peer.script)) - 1](self)

            def do_GET(self) -> None:  # a followed redirect would arrive here
                peer.paths.append(f"GET {self.path}")
                self.send_error(404)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/umeeting/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def raw(body: bytes, status: int = 200, **headers: str) -> Answer:
    """An answer of these bytes; header names are written with _ for -."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def says(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer of this value as JSON."""
    return raw(json.dumps(value).encode(), status, **headers)


def bytes_only(*pieces: bytes, then: Callable[[], object] = lambda: None) -> Answer:
    """Bytes as they are, HTTP or not, then the connection ends; `then` is called before each but the first."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        for place, piece in enumerate(pieces):
            if place:
                then()
            handler.wfile.write(piece)
            handler.wfile.flush()
        handler.close_connection = True

    return answer


def meeting(uuid: str, **more: Any) -> dict[str, Any]:
    """A readable meeting of the document's shape."""
    return {"uuid": uuid, "meeting_id": "1790001234", "start_time": "2017-08-31 00:00:00"} | more


def page(
    number: Any, meetings: list[Any], *, total: Any = None, pages: Any = None, more: Any = False
) -> dict[str, Any]:
    """An answer in the document's shape."""
    data = {"page_number": number, "total_record": total, "total_page": pages, "has_next_page": more}
    return {"status": 200, "message": "OK", "data": data | {"meetings": meetings}}
