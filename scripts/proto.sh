#!/usr/bin/env bash
# Generates the Go code of api/ with the versions that internal/tools/go.mod pins.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
export GOFLAGS=-buildvcs=false
(cd internal/tools && go build -o "$bin/" ./protogen google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc)
"$bin/protogen" api "$bin/protoc-gen-go" "$bin/protoc-gen-go-grpc"
