"""Some history for the fuzzer to find."""

import json
import sys
import urllib.request

URL = sys.argv[1]


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))


for n in range(3):
    post(f"/v1/streams/order-{n}/events", {"events": [{"event_type": "Placed", "data": {"n": n}, "event_id": f"e{n}"}]})
