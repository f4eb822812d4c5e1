#!/usr/bin/env bash
# Makes sure that there is a Chromium for the test of the page: one that is
# there, or Debian's. Without root or apt it says what to do.
set -euo pipefail

if [[ -n "${SENTINEL_CHROMIUM:-}" ]]; then
  exit 0
fi
for name in chromium chromium-browser google-chrome-stable google-chrome chrome; do
  if command -v "$name" >/dev/null; then
    exit 0
  fi
done
if command -v apt-get >/dev/null && [[ "$(id -u)" == 0 ]]; then
  echo "installing chromium"
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends chromium >/dev/null
  exit 0
fi
echo "no Chromium was found: install one (Debian and Ubuntu: apt-get install chromium), or set SENTINEL_CHROMIUM to its path" >&2
exit 1
