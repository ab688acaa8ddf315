#!/bin/sh
# Every check of the project: style, types, arrows between rooms, tests. Arguments go to pytest, which then runs alone.
set -eu
cd "$(dirname "$0")/.."
. scripts/find_python.sh
"$python" scripts/setup_env.py --dev
if [ "$#" -gt 0 ]; then
    exec .venv/bin/python -m pytest "$@"
fi

stage() {  # number, name, command: says which runs, and how long it took
    printf '== %s/5 %s\n' "$1" "$2"
    stage="$1/5 $2"
    shift 2
    before=$(date +%s)
    "$@"
    printf '   done in %s s\n' "$(($(date +%s) - before))"
}

began=$(date +%s)
stage="the environment"
trap 'code=$?; [ "$code" -eq 0 ] || printf "FAILED: %s\n" "$stage" >&2' EXIT
stage 1 "style (ruff)" .venv/bin/python -m ruff check .
stage 2 "types (mypy)" .venv/bin/python -m mypy .
stage 3 "arrows between rooms (import-linter)" .venv/bin/lint-imports --no-logo
stage 4 "tests of the rooms (pytest, two workers)" .venv/bin/python -m pytest --ignore=tests/e2e -n 2 --dist worksteal
stage 5 "the whole program (pytest tests/e2e)" .venv/bin/python -m pytest -vv tests/e2e
printf 'All checks passed in %s s.\n' "$(($(date +%s) - began))"
