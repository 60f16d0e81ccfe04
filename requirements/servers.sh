#!/bin/sh
# The local cluster's servers, and what fetches the others: install them where nobody has to be asked, else name the
# command. Redis, PostgreSQL and HAProxy are used as programs; nothing is started as a service.
set -eu
PATH="$PATH:/usr/sbin"
policy=/usr/sbin/policy-rc.d

has_postgres() {
    for server in /usr/lib/postgresql/*/bin/postgres; do
        [ -x "$server" ] && return
    done
    command -v postgres >/dev/null
}

missing=""
need() { # PACKAGE PROGRAM: the package that brings the program
    command -v "$2" >/dev/null || missing="$missing $1"
}
need redis-server redis-server
need haproxy haproxy
need default-jdk-headless javac
need maven mvn
need golang go
has_postgres || missing="$missing postgresql"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The local servers need more packages: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

if ! [ -e $policy ]; then # a package that comes with a service asks here whether it may start it
    trap 'rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
fi
# shellcheck disable=SC2086 # one word a package
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
