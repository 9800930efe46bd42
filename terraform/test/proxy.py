"""An HTTP proxy that brings every request to one address, whatever host it names, and may keep a journal of them.

usage: proxy.py LISTEN_PORT TARGET_PORT [FOLDER]

S3 Control puts the account's number before the host's name, and 123456789012.127.0.0.1 is no host that could be found.
With FOLDER every call to AWS is a line of JSON in FOLDER/journal: the service, the action or method and path, what was sent,
and what came back. FOLDER/phase says who calls at that moment; while it is empty, nothing is kept.
"""

import http.client
import http.server
import json
import pathlib
import re
import sys
import threading
import urllib.parse

folder = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
lock = threading.Lock()


def readable(body):
    """Text as it is, CBOR as what it holds; None for what is neither."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        pass
    try:
        import cbor2

        return json.dumps(cbor2.loads(body), default=str)
    except Exception:
        return None


def keep(method, path, headers, body, status, answer):
    scope = re.search(r"Credential=[^/]+/[0-9]+/[^/]+/([^/]+)/aws4_request", headers.get("Authorization") or "")
    phase = (folder / "phase").read_text().strip() if (folder / "phase").exists() else ""
    if not scope or not phase:
        return
    line = {
        "phase": phase,
        "service": scope[1],
        "method": method,
        "path": path,
        "target": headers.get("X-Amz-Target") or "",
        "type": headers.get("Content-Type") or "",
        "sent": readable(body),
        "status": status,
        "came": readable(answer[:20000]),
    }
    with lock, open(folder / "journal", "a") as out:
        out.write(json.dumps(line) + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        parts = urllib.parse.urlsplit(self.path)
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        if (self.headers.get("Transfer-Encoding") or "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = {name: value for name, value in self.headers.items() if name.lower() not in ("transfer-encoding", "content-length")}
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), timeout=60)
        connection.request(self.command, path, body, sent)
        answer = connection.getresponse()
        content = answer.read()
        if folder:
            keep(self.command, path, self.headers, body, answer.status, content)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        if self.command == "HEAD" or answer.status in (204, 304):
            length = answer.getheader("Content-Length")
            if length is not None:
                self.send_header("Content-Length", length)
            self.end_headers()
            return
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = forward

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
