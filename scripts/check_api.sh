#!/bin/sh
# Schemathesis judges the grid server: its OpenAPI against what it does. check_api.sh [options for schemathesis run]
# It runs in an environment of its own below $COXSWAIN_CONFORMANCE (default: the cache folder), never in the bot's; the
# server and its simulated exchange run in a temporary home and are gone afterwards.
set -eu
cd "$(dirname "$0")/.."
envs=${COXSWAIN_CONFORMANCE:-${XDG_CACHE_HOME:-$HOME/.cache}/coxswain-conformance}
[ -x .venv/bin/python ] || { printf 'No environment yet: scripts/run.sh makes it.\n' >&2; exit 1; }
if [ ! -e "$envs/schemathesis/.ready" ]; then
    printf '== installing schemathesis\n'
    mkdir -p "$envs"
    .venv/bin/python -m venv --clear "$envs/schemathesis"
    "$envs/schemathesis/bin/python" -m pip install --quiet --disable-pip-version-check schemathesis==4.32.5
    touch "$envs/schemathesis/.ready"
fi

home=$(mktemp -d)
services=""
stop() {
    for service in $services; do kill "$service" 2>/dev/null || true; done
    for service in $services; do wait "$service" 2>/dev/null || true; done
    rm -rf "$home"
}
trap stop EXIT
mkdir -p "$home/config"
export COXSWAIN_HOME="$home" SERVER_PORT=0 PLATFORM_API_KEY=platform-key-of-schemathesis \
    ADMIN_API_KEY=admin-key-of-schemathesis GRIDSERVER_REQUESTS_S=100000 GRIDSERVER_BURST=1000000 \
    GRIDSERVER_ADDRESS_S=100000 SIMULATOR_FUTURES=3 SIMULATOR_TOKENS=1

begin() {  # service: starts it; its address, once it is ready, in $url
    .venv/bin/python bot.py run "$1" >"$home/$1.log" 2>&1 &
    services="$! $services"
    tries=0
    url=""
    while [ -z "$url" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 600 ] || { cat "$home/$1.log" >&2; printf '%s did not start\n' "$1" >&2; exit 1; }
        sleep 0.1
        url=$(.venv/bin/python -c '
import json, sys
try:
    beat = json.load(open(sys.argv[1]))
    print("http://127.0.0.1:%d" % beat["info"]["port"] if beat["ready"] else "")
except (OSError, ValueError, KeyError):
    print("")' "$home/data/run/$1.beat.json")
    done
}

begin simulator
begin gridserver
code=0
"$envs/schemathesis/bin/schemathesis" --config-file scripts/schemathesis.toml run "$url/openapi.json" \
    --header "X-Admin-Key: $ADMIN_API_KEY" --header "X-Platform-Key: $PLATFORM_API_KEY" "$@" || code=$?
grep -h "failed (E" "$home/gridserver.log" "$home"/data/logs/gridserver* 2>/dev/null | tail -5 || true
exit "$code"
