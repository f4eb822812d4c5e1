# shellcheck shell=bash
# Redis from the Debian package; nothing is written to disk.

REDIS_PORT=${SENTINEL_REDIS_PORT:-16379}

redis_ports() { printf '%s\n' "$REDIS_PORT"; }

redis_install() {
  have redis-server && return 0
  apt_install redis redis-server || return 1
  no_system_service redis-server.service
}

redis_start() {
  launch redis redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --protected-mode yes \
    --save '' --appendonly no --daemonize no --dir "$STATE_DIR/redis"
}

redis_ready() (
  exec 3<>"/dev/tcp/127.0.0.1/$REDIS_PORT" || exit 1
  printf 'PING\r\n' >&3
  read -t 5 -r line <&3 || exit 1
  [[ $line == +PONG* ]]
) 2>/dev/null

redis_where() { printf '127.0.0.1:%s\n' "$REDIS_PORT"; }

redis_env() { printf 'export SENTINEL_REDIS_ADDR=127.0.0.1:%s\n' "$REDIS_PORT"; }
