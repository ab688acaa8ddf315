# Sourced by run.sh and test.sh: puts the first Python ≥ 3.11 on this machine into $python, or ends.
python=""
for name in python3 python3.13 python3.12 python3.11 python; do
    if command -v "$name" >/dev/null 2>&1 && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed and was not found. On Debian: sudo apt-get install -y python3 python3-venv" >&2
    exit 1
fi
