#!/bin/sh
# Pictures of an environment are laid out by Graphviz, in a font with Arial's widths: install both where nobody has to
# be asked, else name the command.
set -eu
if command -v dot >/dev/null && command -v fc-match >/dev/null && fc-match Arial | grep -q Liberation; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends graphviz fontconfig fonts-liberation >&2
    exit 0
fi
command -v dot >/dev/null && exit 0 # another font will do: only layouts differ a little
echo "Pictures need Graphviz: sudo apt-get install graphviz fonts-liberation" >&2
exit 1
