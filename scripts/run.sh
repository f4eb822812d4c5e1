#!/usr/bin/env bash
# run.sh BINARY CONFIG: start the collector in the foreground and say what to open.
# With WEBHOOK_URL set, examples/webhook.yaml is added; WEBHOOK_SECRET is made
# up and shown when it is not set.
set -euo pipefail
binary=$1
config=$2
args=(--config "$config")
query=${SENTINEL_QUERY_ENDPOINT:-localhost:8080}

if [[ -n ${WEBHOOK_URL:-} ]]; then
  args+=(--config examples/webhook.yaml)
  if [[ -z ${WEBHOOK_SECRET:-} ]]; then
    WEBHOOK_SECRET="whsec_$(head -c 32 /dev/urandom | base64 -w0)"
    export WEBHOOK_SECRET
    echo "WEBHOOK_SECRET was not set; this run signs with $WEBHOOK_SECRET"
  fi
fi

cat <<TEXT
starting $binary with ${args[*]}

  send OTLP to     grpc ${SENTINEL_OTLP_GRPC_ENDPOINT:-localhost:4317}   http ${SENTINEL_OTLP_HTTP_ENDPOINT:-localhost:4318}
  health           http://$query/health/ready
  LLM events       http://$query/api/v1/telemetry?limit=5
  anomalies        http://$query/api/v1/anomalies
  metrics          http://$query/metrics
  data             ${SENTINEL_DATA_DIR:-./data}

No traffic at hand? In a second terminal: make llmload && bin/llmload generate -h
Stop with Ctrl-C.

TEXT
exec "$binary" "${args[@]}"
