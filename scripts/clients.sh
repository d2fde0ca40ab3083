#!/usr/bin/env bash
# Checks docs/openapi.json with two validators and a linter, generates a Python and a TypeScript client from it, and has both
# create, read and ask a what-if, typed, against a running daemon. What is not installed is skipped, and said.
#
# Needs target/debug/whodunitd (or WHODUNITD). The tools, where they are missing, go into target/tools: they are installed
# when there is a python3 with venv, or an npm, and a registry to be reached. OFFLINE=1 installs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/tools.sh

skipped=0
skip() { printf 'skipped: %s\n' "$*"; skipped=$((skipped + 1)); }
work=$(mktemp -d)
trap 'stop_daemon; rm -rf "$work"' EXIT

if python_tools openapi-spec-validator==0.9.0; then
    "$PYTHON_TOOLS/bin/openapi-spec-validator" docs/openapi.json
else
    skip "openapi-spec-validator: no python3 with venv, or PyPI cannot be reached"
fi
if node_tools @redocly/cli@2.77.0 @seriousme/openapi-schema-validator@2.11.0; then
    "$NODE_TOOLS/.bin/redocly" lint docs/openapi.json
    "$NODE_TOOLS/.bin/validate-api" docs/openapi.json
else
    skip "redocly and openapi-schema-validator: no npm, or its registry cannot be reached"
fi

start_daemon "$work" || { skip "the clients: there is no $WHODUNITD; build it with \`cargo build -p whodunit-daemon\`"; exit 0; }

if python_tools openapi-python-client==0.29.1 httpx; then
    "$PYTHON_TOOLS/bin/openapi-python-client" generate --path docs/openapi.json --meta none \
        --config scripts/clients/python.yaml --output-path "$work/whodunit_client" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    if grep -q "Unable to process schema" "$work/log"; then cat "$work/log"; exit 1; fi
    PYTHONPATH="$work" "$PYTHON_TOOLS/bin/python" scripts/clients/use.py "$URL"
else
    skip "the Python client: openapi-python-client cannot be installed"
fi
if node_tools openapi-typescript@7.13.0 openapi-fetch@0.17.0 typescript@5.9.3 @types/node@20; then
    "$NODE_TOOLS/.bin/openapi-typescript" docs/openapi.json -o "$work/api.d.ts"
    cp scripts/clients/use.ts "$work/"
    ln -s "$PWD/$NODE_TOOLS" "$work/node_modules"
    echo '{"type": "module"}' > "$work/package.json"
    (cd "$work" && node_modules/.bin/tsc --strict --noUncheckedIndexedAccess --module nodenext --target es2022 \
        --types node --skipLibCheck use.ts && node use.js "$URL")
else
    skip "the TypeScript client: openapi-typescript cannot be installed"
fi
echo "clients: ok, $skipped skipped"
