#!/bin/sh
# Foreign clients judge the simulated exchange: conformance.sh [ccxt|sdk|python-binance|freqtrade|bitget|bybit|all]
# Each runs in an environment of its own below $COXSWAIN_CONFORMANCE (default: the cache folder), never in the bot's.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
envs=${COXSWAIN_CONFORMANCE:-${XDG_CACHE_HOME:-$HOME/.cache}/coxswain-conformance}
what=${1:-all}
case "$what" in
    ccxt|sdk|python-binance|freqtrade|bitget|bybit|all) ;;
    *) printf 'conformance.sh %s: one of ccxt, sdk, python-binance, freqtrade, bitget, bybit, all\n' "$what" >&2; exit 2 ;;
esac
[ -x .venv/bin/python ] || { printf 'No environment yet: scripts/run.sh makes it.\n' >&2; exit 1; }

environment() {  # name, package: the interpreter of a client's own environment, made at its first use
    if [ ! -x "$envs/$1/bin/python" ] || [ ! -e "$envs/$1/.ready" ]; then
        printf '== %s: installing %s\n' "$1" "$2"
        mkdir -p "$envs"
        .venv/bin/python -m venv "$envs/$1"
        "$envs/$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2"
        touch "$envs/$1/.ready"
    fi
}

log=$(mktemp)
simulator=""
stop() {
    [ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true
    [ -z "$simulator" ] || wait "$simulator" 2>/dev/null || true
    simulator=""
}
trap 'stop; rm -f "$log"' EXIT

start() {  # a fresh simulator for every client; its address in $url
    stop
    : >"$log"  # the last one's address must not be read for this one's
    .venv/bin/python bot.py simulate --port 0 --tokens 5 --futures 20 --accept-wall-time >"$log" 2>&1 &
    simulator=$!
    tries=0
    url=""
    while [ -z "$url" ]; do
        url=$(sed -n 's/.*on \(http:[^ ]*\) .*/\1/p' "$log" | head -n 1)
        tries=$((tries + 1))
        if [ "$tries" -gt 120 ] || ! kill -0 "$simulator" 2>/dev/null; then
            printf 'The simulator did not start:\n' >&2
            cat "$log" >&2
            exit 1
        fi
        [ -n "$url" ] || sleep 0.5
    done
}

failed=""
judge() {  # interpreter, programs
    interpreter=$1
    shift
    for program in "$@"; do
        [ -e "$program" ] || continue
        printf '\n== %s\n' "$(basename "$program")"
        start
        name=$(basename "$program" .py)
        PYTHONDONTWRITEBYTECODE=1 "$interpreter" -m "benchmarks.conformance.$name" "$url" || failed="$failed $name"
    done
}

folder=benchmarks/conformance
case "$what" in ccxt|all)
    judge "$here/.venv/bin/python" $folder/ccxt_rest.py $folder/ccxt_own_tests.py $folder/ccxt_*stream*.py ;;
esac
case "$what" in sdk|all)
    environment sdk binance-sdk-derivatives-trading-usds-futures==18.0.1
    judge "$envs/sdk/bin/python" $folder/sdk_rest.py $folder/sdk_*stream*.py ;;
esac
case "$what" in python-binance|all)
    environment python-binance python-binance==1.0.37
    judge "$envs/python-binance/bin/python" $folder/python_binance_rest.py $folder/python_binance_*stream*.py ;;
esac
case "$what" in freqtrade|all)
    environment freqtrade freqtrade==2026.9
    judge "$envs/freqtrade/bin/python" $folder/freqtrade_bot.py ;;
esac
case "$what" in bitget|all)
    judge "$here/.venv/bin/python" $folder/bitget_ccxt_rest.py $folder/bitget_ccxt_streams.py
    if command -v npm >/dev/null 2>&1; then
        if [ ! -e "$envs/bitget-api/.ready" ]; then
            printf '== bitget-api: installing bitget-api@3.2.3\n'
            mkdir -p "$envs/bitget-api"
            (cd "$envs/bitget-api" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund bitget-api@3.2.3)
            touch "$envs/bitget-api/.ready"
        fi
        printf '\n== bitget_api.mjs\n'
        start
        cp "$folder/bitget_api.mjs" "$envs/bitget-api/bitget_api.mjs"
        node "$envs/bitget-api/bitget_api.mjs" "$url" || failed="$failed bitget_api"
    else
        printf 'bitget-api: no npm here. Install Node 20 and run this again.\n' >&2
        failed="$failed bitget_api"
    fi ;;
esac
case "$what" in bybit|all)
    judge "$here/.venv/bin/python" $folder/bybit_ccxt_rest.py $folder/bybit_ccxt_streams.py
    environment pybit pybit==5.17.0
    judge "$envs/pybit/bin/python" $folder/bybit_pybit.py ;;
esac
stop
if [ -n "$failed" ]; then
    printf '\nFailed:%s\n' "$failed"
    exit 1
fi
printf '\nAll clients are content.\n'
