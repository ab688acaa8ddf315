#!/bin/sh
# Every check of the project: style, types, arrows between rooms, tests. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
. scripts/find_python.sh
"$python" scripts/setup_env.py --dev
if [ "$#" -eq 0 ]; then
    echo "== ruff";         .venv/bin/python -m ruff check .
    echo "== mypy";         .venv/bin/python -m mypy .
    echo "== import-linter"; .venv/bin/lint-imports
    echo "== pytest"
fi
exec .venv/bin/python -m pytest "$@"
