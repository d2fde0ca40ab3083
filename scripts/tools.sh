# Shared by the scripts beside it: tools from PyPI and npm in target/tools, and a daemon to try things on. Sourced.

WHODUNITD=${WHODUNITD:-target/debug/whodunitd}
PYTHON_TOOLS=target/tools/python
NODE_TOOLS=target/tools/node/node_modules
DAEMON=

# python_tools PACKAGE…: installs them where they are missing; fails where that cannot be.
python_tools() {
    command -v python3 > /dev/null || return 1
    local want="$*" have="$PYTHON_TOOLS/installed"
    grep -qxF -- "$want" "$have" 2> /dev/null && return 0
    [ -z "${OFFLINE:-}" ] || return 1
    [ -x "$PYTHON_TOOLS/bin/pip" ] || python3 -m venv "$PYTHON_TOOLS" > /dev/null 2>&1 || return 1
    "$PYTHON_TOOLS/bin/pip" install --quiet --disable-pip-version-check "$@" || return 1
    printf '%s\n' "$want" >> "$have"
}

# node_tools PACKAGE…: the same from npm.
node_tools() {
    command -v npm > /dev/null && command -v node > /dev/null || return 1
    local want="$*" home=${NODE_TOOLS%/node_modules}
    grep -qxF -- "$want" "$home/installed" 2> /dev/null && return 0
    [ -z "${OFFLINE:-}" ] || return 1
    mkdir -p "$home"
    npm install --prefix "$home" --silent --no-audit --no-fund "$@" > /dev/null || return 1
    printf '%s\n' "$want" >> "$home/installed"
}

# start_daemon DIRECTORY: on a free port, with the users model and an empty store; sets URL.
start_daemon() {
    [ -x "$WHODUNITD" ] || return 1
    local data="$1/data" out="$1/daemon.out"
    "$WHODUNITD" --data "$data" --listen 127.0.0.1:0 $("$WHODUNITD" --help | grep -q -- --model && echo --model users) \
        > "$out" 2> "$1/daemon.log" &
    DAEMON=$!
    until grep -q "listening on" "$out" 2> /dev/null; do
        kill -0 "$DAEMON" 2> /dev/null || { cat "$1/daemon.log" >&2; exit 1; }
        sleep 0.05
    done
    URL=$(sed -n 's/^listening on //p' "$out")
}

stop_daemon() {
    [ -z "$DAEMON" ] || { kill "$DAEMON" 2> /dev/null || true; wait "$DAEMON" 2> /dev/null || true; }
}
