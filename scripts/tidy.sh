#!/usr/bin/env bash
# go mod tidy, for the tests of two contrib components import modules that the
# Go module proxy does not serve at this release (docs/adr/0001-one-module.md).
# Nothing of ours imports them. Any other complaint fails.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
GOFLAGS=-buildvcs=false go mod tidy -e 2> "$log" || true
unexpected=$(grep -E '^\s+[a-z0-9.]+/.*: .*(403|404|410|not found|no matching versions|cannot find)' "$log" |
  grep -vE 'opentelemetry-collector-contrib/(pkg/golden|extension/encoding/otlpencodingextension)' || true)
if [[ -n $unexpected ]]; then
  echo "go mod tidy: modules that cannot be had:" >&2
  echo "$unexpected" >&2
  exit 1
fi
go mod verify
