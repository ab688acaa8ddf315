#!/bin/sh
# Checks the Windows launchers: a linter over all four, then each run by wine's cmd against a stub interpreter that
# tells its arguments and folder and ends with a code of its own. Needs wine and a Windows C compiler:
#     apt-get install wine wine64 gcc-mingw-w64-x86-64-win32
set -eu
cd "$(dirname "$0")/.."
for tool in wine x86_64-w64-mingw32-gcc; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: see the head of $0" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/lint"  # of its own: the linter's pins do not fit the program's
"$work/lint/bin/pip" install -q --disable-pip-version-check blinter==1.1.49
"$work/lint/bin/python" -m blinter scripts --config scripts/blinter.ini --fail-on style >"$work/lint.txt" || {
    cat "$work/lint.txt"; exit 1; }
echo "linter: nothing to say"

export WINEPREFIX="$work/prefix" WINEDEBUG=-all DISPLAY=
mkdir -p "$work/a folder/scripts" "$work/bin"
cp scripts/*.bat "$work/a folder/scripts/"
cat > "$work/stub.c" <<'C'
#include <stdio.h>
#include <string.h>
int main(int n, char **a) { if (n > 2 && !strcmp(a[2], "-c")) return 0;  /* "are you there?" */
    for (int i = 1; i < n; i++) printf("<%s>", a[i]); printf("\n"); return 7; }
C
check() {  # interpreter, launcher, arguments, expected
    rm -f "$work/bin/"*
    x86_64-w64-mingw32-gcc -o "$work/bin/$1.exe" "$work/stub.c"
    set +e
    said=$(cd / && WINEPATH="$(winepath -w "$work/bin" 2>/dev/null)" wine cmd /c "$(winepath -w "$work/a folder/scripts/$2.bat" 2>/dev/null)" $3 2>/dev/null | tr -d '\r')
    (cd / && WINEPATH="$(winepath -w "$work/bin" 2>/dev/null)" wine cmd /c "$(winepath -w "$work/a folder/scripts/$2.bat" 2>/dev/null)" $3 >/dev/null 2>&1)
    code=$?
    set -e
    case "$said" in
        *"$4") [ "$code" -eq 7 ] && { echo "$1 $2.bat $3 -> ${said##*scripts\\} exit $code"; return; } ;;
    esac
    echo "$1 $2.bat $3: said '$said', exit $code; expected '...$4', exit 7" >&2
    exit 1
}
check python start_telegram ""          'setup_env.py><--run><bot.py>'
check python start_telegram "--console" 'setup_env.py><--run><bot.py><--console>'
check python stop_telegram  ""          'setup_env.py><--run><bot.py><stop>'
check python train          "all"       'setup_env.py><--run><bot.py><train><all>'
check python train          ""          'setup_env.py><--run><bot.py><train>'
check python trade          ""          'setup_env.py><--run><bot.py><--send></startbot>'
check py     start_telegram "--console" 'setup_env.py><--run><bot.py><--console>'
echo "all four launchers hand their arguments and the exit code on"
