#!/bin/bash
# setup.sh [packages] [docker] [java]: installs what the tests need on a fresh Debian or Ubuntu machine, as root. What is there already
# is left alone; may be called again, and by two at the same time.
#   packages  a C compiler for the race detector, an MIT KDC and acceptor for the tests of kerberos
#   java      Java and Maven, for a schema registry and for the benchmark beside Flume
#   docker    a running Docker engine with compose, and what makes the base image, for the cluster
set -euo pipefail

say() { echo "setup: $*" >&2; }

exec 9>/tmp/penstock-setup.lock
flock 9

packages=()
need() { # PROGRAM PACKAGE
  if ! PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; then packages+=("$2"); fi
}
docker=false
for part in "$@"; do
  case $part in
  packages)
    need gcc gcc
    need git git
    need krb5kdc krb5-kdc
    need kadmin.local krb5-admin-server
    need kinit krb5-user
    # MIT's library as the acceptor in tests of kerberos, from Debian's own Python.
    if ! /usr/bin/python3 -c 'import gssapi' 2>/dev/null; then packages+=(python3-gssapi); fi
    # ensurepip is what Debian leaves out of python3 without this package.
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then packages+=(python3-venv); fi
    ;;
  java)
    need java default-jre-headless
    need mvn maven
    ;;
  docker)
    docker=true
    # Some machines have Docker's client without an engine.
    need dockerd docker.io
    need docker docker.io
    if ! docker compose version >/dev/null 2>&1; then need docker-compose docker-compose; fi
    need docker-init tini
    need debootstrap debootstrap
    if ! [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then packages+=(debian-archive-keyring); fi # Ubuntu
    ;;
  *)
    say "no part $part"
    exit 2
    ;;
  esac
done
if [ ${#packages[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    say "missing ${packages[*]}, and there is no apt-get: this script knows Debian and Ubuntu only"
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    say "missing ${packages[*]}: run this as root, or install them, or switch the cluster off with INTEGRATION=off"
    exit 1
  fi
  say "installing ${packages[*]}"
  log=$(mktemp)
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    ca-certificates "${packages[@]}"; } >"$log" 2>&1 || { tail -20 "$log" >&2; exit 1; }
  # Newer releases have the client in a package of its own.
  if [ $docker = true ] && ! command -v docker >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends docker-cli >"$log" 2>&1 ||
      { tail -20 "$log" >&2; exit 1; }
  fi
  rm -f "$log"
fi

if [ $docker = false ] || docker info >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  say "no Docker engine answers: start it, or run this as root"
  exit 1
fi
# Not by systemd, which a container or a CI machine may lack. The pid files of an engine that was killed would keep the new
# one from starting; and since every container is on the host network, it need not touch the firewall.
if ! pgrep -x dockerd >/dev/null; then
  rm -f /var/run/docker.pid /run/docker/containerd/containerd.pid
  say "starting dockerd (its log: /var/log/penstock-dockerd.log)"
  setsid nohup dockerd --bridge=none --iptables=false --ip6tables=false >/var/log/penstock-dockerd.log 2>&1 </dev/null 9>&- &
fi
for _ in $(seq 120); do
  if docker info >/dev/null 2>&1; then exit 0; fi
  sleep 0.5
done
say "the Docker engine does not come up:"
tail -20 /var/log/penstock-dockerd.log >&2
exit 1
