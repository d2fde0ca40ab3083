"""Whether the fuzzer's writes got through: events beyond those of seed.py, and decisions."""

import json
import sys
import urllib.request

URL = sys.argv[1]


def get(path):
    return json.load(urllib.request.urlopen(URL + path))


events = get("/v1/events?limit=1")["head"]
print(f"written by the fuzzer: {events - 3} events")
sys.exit(0 if events > 3 else "no write got through")
