# shellcheck shell=bash
# RabbitMQ from the Debian package, under a node name, port mapper and data
# folder of its own, so that a system-wide broker is neither used nor touched.

RABBITMQ_AMQP_PORT=${SENTINEL_RABBITMQ_PORT:-15680}
RABBITMQ_HTTP_PORT=${SENTINEL_RABBITMQ_MANAGEMENT_PORT:-15681}
RABBITMQ_CLUSTER_PORT=${SENTINEL_RABBITMQ_DIST_PORT:-15682}
RABBITMQ_EPMD_PORT=${SENTINEL_RABBITMQ_EPMD_PORT:-15683}
RABBITMQ_PROGRAM=/usr/lib/rabbitmq/bin/rabbitmq-server

rabbitmq_ports() { printf '%s\n' "$RABBITMQ_AMQP_PORT" "$RABBITMQ_HTTP_PORT" "$RABBITMQ_CLUSTER_PORT" "$RABBITMQ_EPMD_PORT"; }

rabbitmq_install() {
  [[ -x $RABBITMQ_PROGRAM ]] && return 0
  apt_install rabbitmq rabbitmq-server || return 1
  no_system_service rabbitmq-server.service epmd.service epmd.socket
}

rabbitmq_start() {
  local dir=$STATE_DIR/rabbitmq
  mkdir -p "$dir/mnesia" "$dir/log"
  cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$RABBITMQ_AMQP_PORT
management.tcp.ip = 127.0.0.1
management.tcp.port = $RABBITMQ_HTTP_PORT
log.file = false
log.console = true
log.console.level = warning
CONF
  printf '[rabbitmq_management].\n' >"$dir/enabled_plugins"
  : >"$dir/rabbitmq-env.conf" # hides /etc/rabbitmq/rabbitmq-env.conf
  launch epmd env ERL_EPMD_RELAXED_COMMAND_CHECK=false epmd -port "$RABBITMQ_EPMD_PORT" -address 127.0.0.1
  # RUNNING_UNDER_SYSTEMD makes the start script replace itself by the server,
  # so that the recorded pid is the server's own.
  launch rabbitmq env \
    HOME="$dir" \
    RUNNING_UNDER_SYSTEMD=true \
    RABBITMQ_NODENAME=sentinel@localhost \
    RABBITMQ_CONF_ENV_FILE="$dir/rabbitmq-env.conf" \
    RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" \
    RABBITMQ_ADVANCED_CONFIG_FILE="$dir/advanced.config" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins" \
    RABBITMQ_MNESIA_BASE="$dir/mnesia" \
    RABBITMQ_LOG_BASE="$dir/log" \
    RABBITMQ_GENERATED_CONFIG_DIR="$dir/config" \
    RABBITMQ_PID_FILE="$dir/server.pid" \
    RABBITMQ_DIST_PORT="$RABBITMQ_CLUSTER_PORT" \
    ERL_EPMD_PORT="$RABBITMQ_EPMD_PORT" \
    ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none' \
    "$RABBITMQ_PROGRAM"
}

rabbitmq_ready() {
  # guest:guest, which the broker accepts from the loopback address only
  [[ $(http_status "$RABBITMQ_HTTP_PORT" /api/health/checks/alarms 'Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=') == 200 ]] &&
    port_open "$RABBITMQ_AMQP_PORT"
}

rabbitmq_stopped() { halt epmd; }

rabbitmq_where() { printf 'amqp://127.0.0.1:%s (management http://127.0.0.1:%s)\n' "$RABBITMQ_AMQP_PORT" "$RABBITMQ_HTTP_PORT"; }

rabbitmq_env() {
  printf 'export SENTINEL_RABBITMQ_URL=amqp://guest:guest@127.0.0.1:%s/\n' "$RABBITMQ_AMQP_PORT"
  printf 'export SENTINEL_RABBITMQ_MANAGEMENT_URL=http://guest:guest@127.0.0.1:%s\n' "$RABBITMQ_HTTP_PORT"
}
