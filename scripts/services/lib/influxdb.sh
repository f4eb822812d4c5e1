# shellcheck shell=bash
# InfluxDB 1.8.3, built from its Go module: the newest server that builds
# without a foreign tool chain. It answers /write, /query and /api/v2/write.

INFLUXDB_VERSION=1.8.3
INFLUXDB_PORT=${SENTINEL_INFLUXDB_PORT:-18186}
INFLUXDB_BACKUP_PORT=${SENTINEL_INFLUXDB_BACKUP_PORT:-18188}
INFLUXDB_BINARY=$CACHE_DIR/influxd-$INFLUXDB_VERSION

influxdb_ports() { printf '%s\n' "$INFLUXDB_PORT" "$INFLUXDB_BACKUP_PORT"; }

influxdb_install() {
  [[ -x $INFLUXDB_BINARY ]] && return 0
  if ! have go; then
    say influxdb "cannot be had here: needs Go to build influxd $INFLUXDB_VERSION"
    return 1
  fi
  say influxdb "building influxd $INFLUXDB_VERSION, once (one to three minutes)"
  local dir=$STATE_DIR/build-influxdb log=$STATE_DIR/influxdb.install.log
  rm -rf "$dir"
  mkdir -p "$dir" "$CACHE_DIR"
  # The caller's flags are for this project's code: build tags and a vendor or
  # workspace mode would break this build.
  if ! (
    cd "$dir" || exit 1
    export CGO_ENABLED=0 GOFLAGS='-trimpath -buildvcs=false' GOWORK=off
    nice -n 15 go mod init influxd.local &&
      nice -n 15 go get "github.com/influxdata/influxdb/cmd/influxd@v$INFLUXDB_VERSION" &&
      nice -n 15 go build -ldflags "-s -w -X main.version=$INFLUXDB_VERSION" -o "$INFLUXDB_BINARY.new" github.com/influxdata/influxdb/cmd/influxd
  ) >"$log" 2>&1 9>&-; then
    say influxdb "build failed; the end of $log:"
    tail -n 15 "$log" >&2
    return 1
  fi
  mv "$INFLUXDB_BINARY.new" "$INFLUXDB_BINARY"
  rm -rf "$dir"
}

influxdb_start() {
  local dir=$STATE_DIR/influxdb
  cat >"$dir/influxdb.conf" <<CONF
reporting-disabled = true
bind-address = "127.0.0.1:$INFLUXDB_BACKUP_PORT"
[meta]
  dir = "$dir/meta"
[data]
  dir = "$dir/data"
  wal-dir = "$dir/wal"
  index-version = "tsi1"
[http]
  bind-address = "127.0.0.1:$INFLUXDB_PORT"
  flux-enabled = true
  log-enabled = false
[monitor]
  store-enabled = false
CONF
  launch influxdb "$INFLUXDB_BINARY" run -config "$dir/influxdb.conf"
}

influxdb_ready() { [[ $(http_status "$INFLUXDB_PORT" /health) == 200 ]]; }

influxdb_where() { printf 'http://127.0.0.1:%s\n' "$INFLUXDB_PORT"; }

influxdb_env() { printf 'export SENTINEL_INFLUXDB_URL=http://127.0.0.1:%s\n' "$INFLUXDB_PORT"; }
