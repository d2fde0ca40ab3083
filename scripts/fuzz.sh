#!/usr/bin/env bash
# A schema-driven fuzzer against a running daemon: requests made from docs/openapi.json, with a fixed seed. Whatever is sent,
# the answer must be one that the document describes, never a 5xx, and writes must get through.
#
#   scripts/fuzz.sh [SEED] [EXAMPLES]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/tools.sh
seed=${1:-20250320} examples=${2:-40}
work=$(mktemp -d)
trap 'stop_daemon; rm -rf "$work"' EXIT
if ! python_tools schemathesis==4.32.5; then
    echo "skipped: schemathesis cannot be installed (no python3 with venv, or PyPI cannot be reached)"
    exit 0
fi
start_daemon "$work" || { echo "skipped: there is no $WHODUNITD; build it with \`cargo build -p whodunit-daemon\`"; exit 0; }
# What is generated, and the examples, find streams, events, users and jobs that are there.
python3 scripts/clients/seed.py "$URL"
before=$(python3 scripts/clients/written.py "$URL")
# One worker: in CPython 3.11 two threads that parse Python at once can fail (`AST constructor recursion depth mismatch`).
# `positive_data_acceptance` is left out: a schema cannot say all (bytes, cursors of another order, two bases at once).
SCHEMATHESIS_HOOKS=scripts/clients/hooks.py "$PYTHON_TOOLS/bin/schemathesis" --config-file scripts/clients/schemathesis.toml run docs/openapi.json --url "$URL" \
    --seed "$seed" --max-examples "$examples" --workers 1 --request-timeout 30 --no-color \
    --exclude-path /v1/live \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    | tee "$work/fuzz.log"
# The first phase sends examples: it skips operations that take nothing one could give an example of. No other phase skips any.
sed -n '/Coverage (in/,$p' "$work/fuzz.log" | grep -F "skipped" && { echo "operations were skipped"; exit 1; }
python3 scripts/clients/written.py "$URL" "$before"
