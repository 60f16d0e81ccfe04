#!/bin/sh
# The browser tests use the system's Chromium: install it where nobody has to be asked, else name the command.
set -eu
for browser in chromium chromium-browser; do
    command -v $browser >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
    exit 0
fi
echo "The browser tests need Chromium: sudo apt-get install chromium" >&2
exit 1
