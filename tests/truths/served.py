"""A server for tests of downloads."""

from __future__ import annotations

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Served:
    """A server of one folder of bytes, that can break off, change its files and tell sums, as Google's storage does."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.stop_after: int | None = None
        self.sum_of: bytes | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Range")))
                content = outer.files.get(self.path)
                if content is None:
                    self.send_error(404, "Not Found")
                    return
                etag, start = f'"{hashlib.md5(content).hexdigest()}"', 0
                if self.headers.get("Range") and self.headers.get("If-Range") == etag:
                    start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                body = content[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", etag)
                md5 = base64.b64encode(hashlib.md5(outer.sum_of or content).digest()).decode()
                self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={md5}")
                self.end_headers()
                self.wfile.write(body[: outer.stop_after])

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is printed."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stops it."""
        self.server.shutdown()
        self.server.server_close()
