"""Some history for the fuzzer to find: what the examples of docs/openapi.json name is there."""

import json
import sys
import urllib.request

URL = sys.argv[1]


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def command(kind, payload, **rest):
    return post("/v1/streams/user-42/commands", {"type": kind, "payload": payload, "actor": "ops:maria", **rest})


for n in range(3):
    event = {"event_type": "Placed", "data": {"n": n}, "event_id": f"order-{n}-placed"}
    post(f"/v1/streams/order-{n}/events", {"events": [event]})
command(
    "CreateUser",
    {"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Kim", "password": "a long password"},
)
command("SuspendUser", {}, reason="chargeback")
command("ReactivateUser", {})
