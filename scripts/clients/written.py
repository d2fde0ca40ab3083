"""How often each kind of write got through, and the what-if. Without a second argument the counts are printed, as JSON; with
the counts of before, each must have grown."""

import json
import re
import sys
import urllib.request

URL = sys.argv[1]
KINDS = {
    "append": "/v1/streams/{stream}/events",
    "command": "/v1/streams/{stream}/commands",
    "import": "/v1/import",
    "what-if": "/v1/what-if",
}

text = urllib.request.urlopen(URL + "/metrics").read().decode()
counts = {}
for kind, route in KINDS.items():
    lines = (line for line in text.splitlines() if 'method="POST"' in line and f'route="{route}"' in line)
    taken = (re.search(r'status="2[0-9][0-9]".*} ([0-9]+)$', line) for line in lines if "http_requests_total" in line)
    counts[kind] = sum(int(found[1]) for found in taken if found)
if len(sys.argv) < 3:
    print(json.dumps(counts))
    sys.exit(0)
before = json.loads(sys.argv[2])
through = {kind: counts[kind] - before[kind] for kind in KINDS}
print("got through:", ", ".join(f"{kind} {count}" for kind, count in through.items()))
missing = [kind for kind, count in through.items() if count == 0]
sys.exit(f"none got through: {', '.join(missing)}" if missing else 0)
