"""A webhook's delivery, verified by the Standard Webhooks library and read by the CloudEvents SDK."""

import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
received = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        received.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port

with tempfile.TemporaryDirectory() as folder:
    config = Path(folder, "pipeline.toml")
    config.write_text(
        f"""
        [mail]
        off = true
        [webhooks]
        allow = ["127.0.0.1:{port}"]
        [[webhook]]
        name = "test"
        url = "http://127.0.0.1:{port}/"
        events = ["order/*"]
        secret_env = "SECRET"
        state = true
        """
    )
    daemon = subprocess.Popen(
        [sys.argv[1], "--data", f"{folder}/data", "--listen", "127.0.0.1:0", "--pipeline", config],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={"SECRET": SECRET},
    )
    try:
        url = daemon.stdout.readline().removeprefix("listening on ").strip()
        body = {"events": [{"event_type": "Placed", "data": {"total": 12.5}}]}
        request = urllib.request.Request(
            f"{url}/v1/streams/order-1/events", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        event = json.load(urllib.request.urlopen(request))["events"][0]
        deadline = time.time() + 30
        while not received and time.time() < deadline:
            time.sleep(0.05)
        headers, body = received[0]
    finally:
        daemon.terminate()
        daemon.wait()

Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
message = from_http(HTTPMessage(headers=headers, body=body), JSONFormat())
assert message.get_id() == event["event_id"], message
assert message.get_type() == "Placed" and message.get_subject() == "order-1", message
data = message.get_data()
assert data["event"] == event and data["state"] == {"total": 12.5}, data
print("webhook: verified by standardwebhooks, read by the CloudEvents SDK")
