"""Stands for `nottermost` where a test needs processes and not the chat: notes its words, answers /healthz."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = os.environ["NOTTERMOST_INSTANCE"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


words = sys.argv[2:]
with Path(sys.argv[1]).open("a") as notes:
    notes.write(" ".join([*words, os.environ.get("NOTTERMOST_INSTANCE", "")]).strip() + "\n")
if words == ["chat", "setup"]:
    sys.exit(0 if "refuse" not in sys.argv[1] else "the tables could not be made")
port = os.environ.get("NOTTERMOST_METRICS_PORT") or os.environ["NOTTERMOST_PORT"]
ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
