#!/bin/sh
# Makes .venv with a Python that really runs, and installs a lock file into it. Does nothing when that is done already.
#
# Usage: scripts/setup.sh run|dev
set -eu

oldest="3, 12"
wanted="Python 3.12 or newer, with its ssl and venv modules"

cd "$(dirname "$0")/.."

case "${1:-}" in
run) lock=requirements.lock ;;
dev) lock=requirements-dev.lock ;;
*)
    echo "Usage: $0 run|dev (what to install: what it needs to run, or also what developing it needs)." >&2
    exit 2
    ;;
esac

venv=.venv
stamp="$venv/.installed-$1"
unfinished="$venv/.installing"

# Prints the version of a Python, and fails unless it is one that can be used. A shim in PATH may exist and not run.
version_of() {
    "$1" -c "import ensurepip, ssl, sys, venv; sys.version_info >= ($oldest) or sys.exit(1); print(sys.version)" \
        2>/dev/null
}

# Prints the candidates, best first: each is tried in turn.
candidates() {
    for version in 3.13 3.12 3.14; do
        command -v "python$version" || true
        # Where only shims are in PATH, the real ones lie here.
        for python in "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version"*/bin/python3; do
            echo "$python"
        done
        if command -v uv >/dev/null 2>&1; then
            uv python find --offline "$version" 2>/dev/null || true
        fi
    done
    command -v python3 || true
    for python in "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions"/*/bin/python3; do
        echo "$python"
    done
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
        return
    fi
    found=$(candidates | while read -r python; do
        if version_of "$python" >/dev/null; then
            echo "$python"
            break
        fi
    done)
    if [ -z "$found" ]; then
        echo "$wanted, is missing: install it, or name it, as in PYTHON=/path/to/python3.13 make demo" >&2
        return 1
    fi
    echo "$found"
}

# What an installation depends on: the Python and the lock. It is written last, so that one that was interrupted is
# done again.
contents() {
    "$venv/bin/python" -c 'import sys; print(sys.version)'
    cat "$1"
}

note() {
    contents "$1" >"$2.new"
    mv "$2.new" "$2"
}

usable() {
    [ ! -e "$unfinished" ] || return 1
    version=$(version_of "$venv/bin/python") || return 1
    if [ -n "${PYTHON:-}" ]; then
        [ "$version" = "$(version_of "$PYTHON")" ] || return 1
    fi
}

if [ -n "${PYTHON:-}" ] && ! version_of "$PYTHON" >/dev/null; then
    echo "PYTHON=$PYTHON cannot be used: it has to be $wanted." >&2
    exit 1
fi

if [ -e "$venv" ] && ! usable; then
    echo "Setting up: $venv is incomplete, does not run, is too old, or is not what PYTHON says: it is made anew."
    rm -rf "$venv"
fi

if [ -e "$stamp" ] && contents "$lock" | cmp -s - "$stamp"; then
    exit 0
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    echo "Setting up: making $venv with $python ($("$python" -c 'import platform; print(platform.python_version())'))."
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

echo "Setting up: installing $(grep -c '^[A-Za-z0-9]' "$lock") packages from $lock; this takes a minute or two."
# Twice quiet: only what goes wrong is of interest, not what pip thinks of its own configuration.
: >"$unfinished"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"

rm "$unfinished"
note "$lock" "$stamp"
if [ "$1" = dev ]; then
    # The larger lock holds the smaller one.
    note requirements.lock "$venv/.installed-run"
fi
