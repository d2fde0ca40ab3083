#!/usr/bin/env bash
# Measures the store beside its limits and its peers, in one run: starts a throw-away PostgreSQL (of the system's packages) and UmaDB
# (of PyPI), runs the bench `peers`, and removes both. What is not installed and cannot be is left out, and said.
#
#   scripts/peers.sh              about five minutes, beside the build
#   PEERS=full scripts/peers.sh   longer slices, a million events
#
# On a machine that does other work, ordinary processes that wait for the disk wait for their turn on a processor as well, up to a tick
# of the scheduler: as root, PEERS_REALTIME=1 runs everything under `chrt -f 1`. TMPDIR chooses the disk. PEERS_ONLY=http,log measures
# only these sections: process, http, commands, stream, log, decisions.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/tools.sh

work=$(mktemp -d)
chmod 755 "$work"
as_postgres=()
stop() {
    [ -z "${UMADB:-}" ] || { kill "$UMADB" 2> /dev/null || true; wait "$UMADB" 2> /dev/null || true; }
    [ -z "${POSTGRES:-}" ] || "${as_postgres[@]}" "$POSTGRES/pg_ctl" -D "$work/postgres" -m immediate stop > /dev/null || true
    rm -rf "$work"
}
trap stop EXIT
skip() { printf 'skipped: %s\n' "$*"; }
realtime=()
[ -z "${PEERS_REALTIME:-}" ] || realtime=(chrt -f 1)
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# The build first, so that it does not disturb what runs.
cargo bench -p whodunit-daemon --bench peers --no-run

POSTGRES=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | sort -V | tail -1 || true)
[ -n "$POSTGRES" ] || ! command -v initdb > /dev/null || POSTGRES=$(dirname "$(command -v initdb)")
if [ -n "$POSTGRES" ]; then
    # It refuses to run as root.
    if [ "$(id -u)" = 0 ] && id postgres > /dev/null 2>&1; then as_postgres=(runuser -u postgres --); fi
    mkdir "$work/postgres"
    [ ${#as_postgres[@]} = 0 ] || chown postgres "$work/postgres"
    port=$(free_port)
    (cd "$work" && "${as_postgres[@]}" "$POSTGRES/initdb" -D "$work/postgres" -U postgres -A trust > /dev/null)
    "${realtime[@]}" "${as_postgres[@]}" "$POSTGRES/pg_ctl" -D "$work/postgres" -w -l "$work/postgres/log" \
        -o "-p $port -k $work/postgres -c listen_addresses=127.0.0.1 -c shared_buffers=512MB -c fsync=on -c synchronous_commit=on -c max_connections=200" \
        start > /dev/null
    export PEERS_POSTGRES=127.0.0.1:$port
    "$POSTGRES/postgres" --version
else
    skip "PostgreSQL: it is not installed (Debian: apt-get install postgresql)"
fi
if python_tools umadb==0.7.8; then
    port=$(free_port)
    "${realtime[@]}" "$PYTHON_TOOLS/bin/umadb" --listen "127.0.0.1:$port" --db-path "$work/uma.db" > "$work/umadb.log" 2>&1 &
    UMADB=$!
    for _ in $(seq 100); do
        python3 -c "import socket; socket.create_connection(('127.0.0.1', $port)).close()" 2> /dev/null && break
        sleep 0.1
    done
    export PEERS_UMADB=127.0.0.1:$port
    echo "umadb 0.7.8"
else
    skip "UmaDB: no python3 with venv, or PyPI cannot be reached"
fi

export TMPDIR=${TMPDIR:-$work}
bench=$(ls -t "${CARGO_TARGET_DIR:-target}"/release/deps/peers-* | grep -v '\.d$' | head -1)
"${realtime[@]}" "$bench" --bench
