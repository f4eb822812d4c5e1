#!/usr/bin/env bash
# validate.sh BINARY: every example configuration passes `validate`.
set -euo pipefail
binary=$1
export WEBHOOK_URL=http://localhost:9999/webhook
export WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
for set in collector-config.yaml "collector-config.yaml examples/webhook.yaml" examples/full-stack.yaml examples/kafka.yaml examples/plain-otelcol.yaml; do
  args=()
  for file in $set; do args+=(--config "$file"); done
  "$binary" validate "${args[@]}"
  echo "valid: $set"
done
