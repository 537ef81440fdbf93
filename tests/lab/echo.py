"""An app for a sidecar that is a process. It imports nothing of the sidecar, so that a conftest.py may import it."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_S = 20.0  # at most


class EchoApp:
    """Answers each GET with the headers that it got, as JSON; one of /slow only once `answer` is set."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = threading.Event()
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                app.asked.set()
                if self.path.startswith("/slow"):
                    app.answer.wait(SLOW_S)
                body = json.dumps(dict(self.headers)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.answer.set()
        self._server.shutdown()
        self._server.server_close()
