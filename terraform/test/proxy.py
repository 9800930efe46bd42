"""An HTTP proxy that brings every request to one address, whatever host it names.

usage: proxy.py LISTEN_PORT TARGET_PORT

S3 Control puts the account's number before the host's name, and 123456789012.127.0.0.1 is no host that could be found.
"""

import http.client
import http.server
import sys
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    def forward(self):
        parts = urllib.parse.urlsplit(self.path)
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), timeout=60)
        connection.request(self.command, path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = forward

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
