#!/bin/sh
# Make .venv and install a locked set into it: requirements/install.sh run|dev
# Both sets pin the same versions, so either can be installed first and the other added.
set -eu
cd "$(dirname "$0")/.."
set_name=$1
venv=.venv

fail() {
    echo "$1" >&2
    exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

can_make_venv() { is_new_enough "$1" && "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() { # the first that passes the given check; PYTHON=... names the only one to try
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$1" "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

apt_install() { # only where nobody has to be asked
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"
}

if ! { is_new_enough $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    # Debian ships Python without ensurepip, which is in python3-venv.
    python=$(find_python can_make_venv) || { apt_install python3-venv >&2 && python=$(find_python can_make_venv); } || {
        python=$(find_python is_new_enough) || fail "Nottermost needs Python 3.11 or newer, on Debian and Ubuntu: sudo apt-get install python3-venv"
        fail "$python cannot make virtual environments: sudo apt-get install python3-venv"
    }
    echo "Making $venv with $("$python" --version)" >&2
    "$python" -m venv --clear $venv
fi

echo "Installing the locked packages into $venv (once; takes under a minute)" >&2
# The lock lists everything, so pip has nothing to resolve; our members are built by the locked flit-core.
pip() { $venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
pip install --no-deps --require-hashes -r "requirements/$set_name.txt"
members="conventions services/reference-chat cli"
[ "$set_name" = run ] || members="$members platform cost-model"
# shellcheck disable=SC2086 # one option a member
pip install --no-deps --no-index --no-build-isolation $(printf -- '-e %s ' $members)
