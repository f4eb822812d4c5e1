# shellcheck shell=bash
# Processes, ports and waiting. Sourced by services.sh.

STATE_DIR=${SENTINEL_SERVICES_DIR:-$(cd "$HERE/../.." && pwd)/.services}
[[ $STATE_DIR == /* ]] || STATE_DIR=$PWD/$STATE_DIR
# shellcheck disable=SC2034 # used by the services' files
CACHE_DIR=$STATE_DIR/cache # programs, kept by 'clean'
READY_TIMEOUT=${SENTINEL_SERVICES_TIMEOUT:-120}
STOP_TIMEOUT=30

say() { printf '%-9s %s\n' "$1" "$2" >&2; }

die() {
  say services "$1"
  exit 2
}

# take_lock lets one up, down or clean run at a time. Servers must not inherit
# the descriptor, or the lock would live as long as they do.
take_lock() {
  exec 9>"$STATE_DIR/lock"
  flock -n 9 && return
  say services "waiting for another services.sh on $STATE_DIR"
  flock -w 600 9 || die "another services.sh holds $STATE_DIR/lock"
}

# start_time prints the boot-relative start time of a process: together with
# the pid it identifies a process, because a pid alone may have been reused.
start_time() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  stat=${stat##*) } # the name in parentheses may contain blanks
  local fields
  read -ra fields <<<"$stat"
  [[ ${fields[0]} != Z ]] || return 1
  printf '%s\n' "${fields[19]}"
}

pid_of() {
  local pid started
  { read -r pid started <"$STATE_DIR/$1.pid"; } 2>/dev/null || return 1
  [[ -n $pid && -n $started && $(start_time "$pid") == "$started" ]] || return 1
  printf '%s\n' "$pid"
}

running() { pid_of "$1" >/dev/null; }

rss_mib() {
  local pid key value rest
  pid=$(pid_of "$1") || return 0
  while read -r key value rest; do
    if [[ $key == VmRSS: ]]; then
      printf '%d\n' $((value / 1024))
      return 0
    fi
  done <"/proc/$pid/status"
}

# launch NAME COMMAND... starts a server in a session of its own, so that it
# survives this script and can be ended with all its children.
launch() {
  local name=$1
  shift
  setsid "$@" >>"$STATE_DIR/${name}.log" 2>&1 </dev/null 9>&- &
  local pid=$!
  printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$STATE_DIR/$name.pid"
}

# halt NAME ends the process of the pid file if it is still the one that was
# started, politely first.
halt() {
  local name=$1 pid deadline
  if ! pid=$(pid_of "$name"); then
    rm -f "$STATE_DIR/$name.pid"
    return 0
  fi
  kill -TERM "$pid" 2>/dev/null || true
  deadline=$((SECONDS + STOP_TIMEOUT))
  while running "$name" && ((SECONDS < deadline)); do sleep 0.1; done
  if running "$name"; then
    say "$name" "did not stop within ${STOP_TIMEOUT} s, killing it"
    kill -KILL -- "-$pid" 2>/dev/null || true
    deadline=$((SECONDS + 5))
    while running "$name" && ((SECONDS < deadline)); do sleep 0.1; done
  fi
  if running "$name"; then
    say "$name" "pid $pid cannot be stopped"
    return 1
  fi
  rm -f "$STATE_DIR/$name.pid"
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# http_status PORT PATH [HEADER] prints the status code of a GET. It spares the
# dependency on curl, which a bare system lacks.
http_status() (
  exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n' "$2" >&3
  if [[ -n ${3:-} ]]; then printf '%s\r\n' "$3" >&3; fi
  printf '\r\n' >&3
  read -t 5 -r _ code _ <&3 || exit 1
  printf '%s\n' "$code"
) 2>/dev/null

# up_one installs, starts and waits for one service. Each service defines
#   NAME_ports    the ports that must be free
#   NAME_install  make the program available, or say why that is impossible
#   NAME_start    launch it
#   NAME_ready    true once it answers
#   NAME_where    address for humans
#   NAME_env      exports for the tests
# and may define NAME_stopped for what is to be ended after the server.
up_one() {
  local name=$1 port began deadline noted
  if running "$name" && "${name}_ready"; then
    say "$name" "already up at $("${name}_where")"
    return 0
  fi
  down_one "$name" quiet
  for port in $("${name}_ports"); do
    if port_open "$port"; then
      say "$name" "port $port is in use by another process; choose another one (see scripts/services/README.md)"
      return 1
    fi
  done
  "${name}_install" || return 1
  mkdir -p "$STATE_DIR/$name"
  : >"$STATE_DIR/$name.log"
  say "$name" "starting"
  began=$SECONDS
  "${name}_start" || return 1
  deadline=$((began + READY_TIMEOUT))
  noted=$began
  until "${name}_ready"; do
    if ! running "$name"; then
      say "$name" "ended while starting; the end of $STATE_DIR/$name.log:"
      tail -n 15 "$STATE_DIR/$name.log" >&2
      down_one "$name" quiet
      return 1
    fi
    if ((SECONDS >= deadline)); then
      say "$name" "not ready after ${READY_TIMEOUT} s (SENTINEL_SERVICES_TIMEOUT); the end of $STATE_DIR/$name.log:"
      tail -n 15 "$STATE_DIR/$name.log" >&2
      down_one "$name" quiet
      return 1
    fi
    if ((SECONDS >= noted + 10)); then
      noted=$SECONDS
      say "$name" "still starting ($((SECONDS - began)) s)"
    fi
    sleep 0.2
  done
  say "$name" "up after $((SECONDS - began)) s at $("${name}_where")"
}

down_one() {
  local name=$1 quiet=${2:-} was=no
  if running "$name"; then was=yes; fi
  halt "$name" || return 1
  if declare -F "${name}_stopped" >/dev/null; then "${name}_stopped"; fi
  [[ -z $quiet ]] || return 0
  if [[ $was == yes ]]; then say "$name" "stopped"; else say "$name" "was not running"; fi
}
