#!/usr/bin/env bash
# Runs the tests of what speaks to AWS against MiniStack: store-contract.sh MINISTACK-ENVIRONMENT COMMAND...
#
# COMMAND is a `cargo test`; it finds MiniStack by FLOWGATE_TEST_DYNAMODB_ENDPOINT and
# FLOWGATE_TEST_STEP_FUNCTIONS_ENDPOINT. MiniStack keeps everything in memory
# and is stopped however the tests end.
set -euo pipefail

environment=$1
shift

scratch=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
}
trap 'stop; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
    "$environment/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers() {
    "$environment/bin/python" - "$1" <<'PYTHON' 2>/dev/null
import sys, urllib.request
no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
no_proxy.open(f"{sys.argv[1]}/_ministack/ready", timeout=5).read()
PYTHON
}

# Another process may take the free port before MiniStack does; then MiniStack ends at once, and the next port is tried.
start() {
    local port
    port=$(free_port)
    endpoint=http://127.0.0.1:$port
    # Debug is the level at which MiniStack writes a line per request, by which the end of this script sees its use.
    BIND_HOST=127.0.0.1 GATEWAY_PORT=$port SERVICES=dynamodb,stepfunctions,lambda LOG_LEVEL=DEBUG \
        "$environment/bin/ministack" >"$scratch/ministack.log" 2>&1 &
    server=$!
    local tries=0
    until answers "$endpoint"; do
        tries=$((tries + 1))
        if ! kill -0 "$server" 2>/dev/null || [ "$tries" -ge 300 ]; then
            stop
            return 1
        fi
        sleep 0.2
    done
}

start || start || start || {
    echo "error: MiniStack does not start; its last lines:" >&2
    tail -n 20 "$scratch/ministack.log" >&2
    exit 1
}
printf '==> MiniStack answers on %s\n' "$endpoint"

FLOWGATE_TEST_DYNAMODB_ENDPOINT=$endpoint FLOWGATE_TEST_STEP_FUNCTIONS_ENDPOINT=$endpoint "$@" 2>&1 | tee "$scratch/tests.log"

# A filter that matches nothing, or tests that use another store all the same, would prove nothing and still be green.
if ! grep -Eq '^test result: ok\. [1-9][0-9]* passed' "$scratch/tests.log"; then
    echo "error: no test of the store ran: $*" >&2
    exit 1
fi
for service in dynamodb states; do
    requests=$(grep -c "service=$service" "$scratch/ministack.log" || true)
    if [ "$requests" -eq 0 ]; then
        echo "error: the tests sent MiniStack nothing for $service; do they heed FLOWGATE_TEST_..._ENDPOINT?" >&2
        exit 1
    fi
    printf '==> MiniStack served %s requests for %s\n' "$requests" "$service"
done
