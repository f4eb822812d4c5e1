# shellcheck shell=bash
# Getting programs: Debian packages when root, else a message that says what to
# install. Sourced by services.sh.

have() { command -v "$1" >/dev/null 2>&1; }

# apt_install NAME PACKAGE... installs packages for service NAME without
# letting their maintainer scripts start a system-wide server.
apt_install() {
  local name=$1
  shift
  if ! have apt-get; then
    say "$name" "cannot be had here: needs $*, and there is no apt-get; install it by hand and try again"
    return 1
  fi
  if ((EUID != 0)); then
    say "$name" "cannot be had here: needs $*, and only root may install it; run: sudo apt-get install --no-install-recommends $*"
    return 1
  fi
  say "$name" "installing $* (apt-get)"
  local rc=0
  (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\n# made by services.sh while it installs packages; denies starting services\nexit 101\n' >"$policy"
      chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq -o DPkg::Lock::Timeout=300 update &&
      nice -n 10 apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
  ) >>"$STATE_DIR/$name.install.log" 2>&1 9>&- || rc=$?
  if ((rc)); then
    say "$name" "apt-get failed; the end of $STATE_DIR/$name.install.log:"
    tail -n 5 "$STATE_DIR/$name.install.log" >&2
    return 1
  fi
}

# no_system_service UNIT... keeps servers that we installed from starting with
# the machine. Called only after apt_install brought them.
no_system_service() {
  [[ -d /run/systemd/system ]] || return 0
  local unit
  for unit in "$@"; do
    systemctl disable --now "$unit" >/dev/null 2>&1 || true
  done
}
