#!/bin/sh
# Start Coxswain; makes its environment the first time. Arguments go to bot.py (none = command process).
set -eu
cd "$(dirname "$0")/.."
. scripts/find_python.sh
"$python" scripts/setup_env.py
exec .venv/bin/python bot.py "$@"
