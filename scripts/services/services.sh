#!/usr/bin/env bash
# Real servers for the integration tests: starts them on the loopback address
# only, without systemd, and ends exactly the processes that it started.
# README.md in this folder says what is installed and which ports are used.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ALL=(kafka rabbitmq influxdb redis)

# shellcheck source=scripts/services/lib/common.sh
. "$HERE/lib/common.sh"
# shellcheck source=scripts/services/lib/install.sh
. "$HERE/lib/install.sh"
for name in "${ALL[@]}"; do
  # shellcheck source=/dev/null
  . "$HERE/lib/$name.sh"
done

usage() {
  cat >&2 <<TEXT
usage: services.sh COMMAND [NAME...]

  up       install what is missing, start, wait until it answers
  down     stop what 'up' started; data are kept
  status   one line per service; exit code 1 when one of them is down
  env      shell exports for the tests, for the services that are up
  clean    down, then delete data and logs (built and fetched programs are kept)

NAME is any of: ${ALL[*]} (default: all of them)
State: $STATE_DIR (set SENTINEL_SERVICES_DIR to move it)
TEXT
}

cmd_up() {
  local name failed=()
  for name in "$@"; do
    up_one "$name" || failed+=("$name")
  done
  if ((${#failed[@]})); then
    say services "not started: ${failed[*]}"
    return 1
  fi
}

cmd_down() {
  local name rc=0
  for name in "$@"; do
    down_one "$name" || rc=1
  done
  return "$rc"
}

cmd_status() {
  local name rc=0
  for name in "$@"; do
    if running "$name"; then
      printf '%-9s up    pid %-7s %4s MiB  %s\n' "$name" "$(pid_of "$name")" "$(rss_mib "$name")" "$("${name}_where")"
    else
      printf '%-9s down\n' "$name"
      rc=1
    fi
  done
  return "$rc"
}

cmd_env() {
  local name
  for name in "$@"; do
    if running "$name"; then
      "${name}_env"
    else
      printf '# %s is down\n' "$name"
    fi
  done
}

cmd_clean() {
  local name
  cmd_down "$@"
  for name in "$@"; do
    rm -rf "${STATE_DIR:?}/$name" "$STATE_DIR/$name.log"
  done
}

main() {
  local command=${1:-} name
  [[ -n $command ]] || { usage; exit 2; }
  shift
  local names=("$@")
  ((${#names[@]})) || names=("${ALL[@]}")
  for name in "${names[@]}"; do
    [[ " ${ALL[*]} " == *" $name "* ]] || die "unknown service '$name' (known: ${ALL[*]})"
  done
  case $command in
    up | down | clean)
      mkdir -p "$STATE_DIR"
      take_lock
      "cmd_$command" "${names[@]}"
      ;;
    status | env) "cmd_$command" "${names[@]}" ;;
    help | -h | --help) usage ;;
    *)
      usage
      exit 2
      ;;
  esac
}

main "$@"
