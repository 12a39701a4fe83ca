# Sourced by demo.sh and test.sh: finds a Python, makes the virtual environment, installs.
#
#   PILOTAGE_VENV    where the environment lies (default: .venv beside the README)
#   PILOTAGE_PYTHON  the interpreter to use (default: the first Python 3.10 or newer)

say() { printf '== %s\n' "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${PILOTAGE_VENV:-$root/.venv}

suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PILOTAGE_PYTHON:-}" ]; then
        suitable "$PILOTAGE_PYTHON" || fail "PILOTAGE_PYTHON=$PILOTAGE_PYTHON is not a Python 3.10 or newer"
        echo "$PILOTAGE_PYTHON"
        return
    fi
    local name
    for name in python3 python3.12 python3.11 python3.10 python; do
        if suitable "$name"; then command -v "$name"; return; fi
    done
    fail "no Python 3.10 or newer found; install one, on Debian or Ubuntu: sudo apt install python3 python3-venv python3-dev"
}

# What pip could only say after a minute and on a hundred lines.
check_python() {
    local python=$1 version
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "Python $version has no venv module; install it: sudo apt install python$version-venv"
    # hnswlib comes as source only and is compiled here.
    { command -v c++ || command -v g++ || command -v clang++; } >/dev/null ||
        fail "no C++ compiler, which hnswlib needs; install one: sudo apt install build-essential"
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        fail "Python $version has no headers, which hnswlib needs; install them: sudo apt install python$version-dev"
}

# install EXTRAS: makes the environment complete; does nothing when it already is.
install() {
    local extras=$1 stamp wanted
    stamp=$venv/pilotage-$extras.installed
    if [ ! -x "$venv/bin/python" ]; then
        local python
        python=$(find_python) || exit 1
        check_python "$python"
        say "making a virtual environment in $venv with $python"
        "$python" -m venv "$venv" || fail "the virtual environment could not be made in $venv"
    elif ! suitable "$venv/bin/python"; then
        fail "$venv holds no working Python 3.10 or newer; remove it, or set PILOTAGE_VENV elsewhere"
    fi
    wanted="$root $(cksum < "$root/pyproject.toml")"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        say "pilotage[$extras] is installed in $venv"
        return
    fi
    check_python "$venv/bin/python"
    say "installing pilotage[$extras] into $venv (a minute or so; hnswlib is compiled)"
    # Without -march=native the compiled index runs on every machine of its kind.
    HNSWLIB_NO_NATIVE=1 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --editable "$root[$extras]" || fail "the installation failed; see pip's message above"
    printf '%s' "$wanted" > "$stamp"
}
