#!/bin/bash
# The kerberised test cluster. `make cluster-up` and the Go tests both come here.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
PENSTOCK_CLUSTER_DIR=$(realpath -m "${PENSTOCK_CLUSTER_DIR:-$root/build/cluster}")
hdfs_servers=(namenode datanode1 datanode2)
base_servers=(kdc "${hdfs_servers[@]}" kafka toolbox-hadoop toolbox-kafka)
hbase_servers=(zookeeper hmaster regionserver)
kms_servers=(kms)

usage() {
  cat <<'EOF'
usage: cluster.sh COMMAND
  up [hbase] [kms]            build the image if it is missing, start every server, wait until all are ready
  down                        stop and remove the containers; the data stay
  reset                       down, and remove the data
  status                      each server: state, readiness, memory
  set [NAME=VALUE...]         change switches on the living cluster and restart HDFS; without arguments, back to the defaults
  start|stop|kill|pause|resume|restart SERVER...
                              start, resume and restart wait until the server is ready
  logs SERVER [docker logs options]
  shell [COMMAND...]          a shell with the tools of Hadoop, Kafka and Kerberos
  image                       build the image, if it is missing, and print its name
Switches: RPC_PROTECTION DATA_PROTECTION ENCRYPT_DATA ENCRYPT_ALGORITHM CIPHER_SUITES TICKET_LIFE REPLICATION
KEY_PROVIDER (see bin/settings)
The directory of the cluster is build/cluster, or PENSTOCK_CLUSTER_DIR.
EOF
}

say() { echo "cluster: $*" >&2; }

# Tags are hashes of what goes in, so an image of another checkout is used only when it is the same.
base_image() {
  echo "penstock-base:$(find /usr/local/share/ca-certificates -name '*.crt' 2>/dev/null | sort | xargs -r cat |
    cat - "$here/base.sh" | sha256sum | cut -c1-12)"
}
image_name() {
  echo "penstock-cluster:$(cd "$here" && { base_image; cat Dockerfile; find pom java templates bin -type f | sort |
    xargs sha256sum; } | sha256sum | cut -c1-12)"
}

image() {
  PENSTOCK_CLUSTER_IMAGE=$(image_name)
  export PENSTOCK_CLUSTER_IMAGE PENSTOCK_CLUSTER_DIR
  if docker image inspect "$PENSTOCK_CLUSTER_IMAGE" >/dev/null 2>&1; then return; fi
  say "building $PENSTOCK_CLUSTER_IMAGE"
  "$here/base.sh" "$(base_image)"
  # Proxies are those of the environment, when it names any.
  DOCKER_BUILDKIT=0 docker build --network host --build-arg http_proxy --build-arg https_proxy --build-arg no_proxy \
    --build-arg "BASE=$(base_image)" -t "$PENSTOCK_CLUSTER_IMAGE" "$here" >"$PENSTOCK_CLUSTER_DIR/image.log" 2>&1 ||
    { tail -40 "$PENSTOCK_CLUSTER_DIR/image.log" >&2; exit 1; }
}

compose() {
  if docker compose version >/dev/null 2>&1; then
    docker compose -p penstock -f "$here/compose.yaml" "$@"
  else
    docker-compose -p penstock -f "$here/compose.yaml" "$@"
  fi
}

# Containers have fixed names: one cluster per machine. Those of another checkout are in the way; they are removed when they
# do not run, or when PENSTOCK_CLUSTER_EVICT is set.
evict() {
  local id dir state
  docker ps -aq --filter label=io.penstock.cluster | while read -r id; do
    read -r state dir < <(docker inspect -f '{{.State.Status}} {{index .Config.Labels "io.penstock.cluster"}}' "$id")
    if [ "$dir" = "$PENSTOCK_CLUSTER_DIR" ]; then continue; fi
    if [ "$state" = running ] && [ -d "$dir" ] && [ -z "${PENSTOCK_CLUSTER_EVICT:-}" ]; then
      say "a cluster with its data in $dir is running on this machine, and there is room for one only."
      say "Use it (PENSTOCK_CLUSTER_DIR=$dir), or stop it, or have it removed (PENSTOCK_CLUSTER_EVICT=1)."
      exit 1
    fi
    docker rm -f "$id" >/dev/null
  done
}

# running, exited, paused...; nothing for a container that was never made.
state() { docker inspect -f '{{.State.Status}}' "penstock-$1" 2>/dev/null | grep . || true; }

await() { # SERVER...
  local server
  for server in "$@"; do
    docker exec "penstock-$server" await "$server" ||
      { docker logs --tail 30 "penstock-$server" >&2; return 1; }
  done
}

# One at a time: test programs that start together all come here.
lock() {
  mkdir -p "$PENSTOCK_CLUSTER_DIR"
  exec 9>"$PENSTOCK_CLUSTER_DIR.lock"
  flock 9
}

up() {
  lock
  evict
  local servers=("${base_servers[@]}") profiles=() profile server missing=()
  for profile in "$@"; do
    profiles+=(--profile "$profile")
    case $profile in
    hbase) servers+=("${hbase_servers[@]}") ;;
    kms) servers+=("${kms_servers[@]}") ;;
    *)
      say "no profile $profile"
      exit 2
      ;;
    esac
  done
  # What runs is used as it is: others may be in the middle of a test.
  for server in "${servers[@]}"; do
    case $(state "$server") in
    running) ;;
    # Compose would wait for ever.
    paused) docker unpause "penstock-$server" >/dev/null ;;
    *) missing+=("$server") ;;
    esac
  done
  # The directory was removed under a running cluster: its containers hold on to the old one.
  if [ "$(state kdc)" = running ] &&
    [ "$(docker exec penstock-kdc stat -c %i "$PENSTOCK_CLUSTER_DIR")" != "$(stat -c %i "$PENSTOCK_CLUSTER_DIR")" ]; then
    remove
    missing=("${servers[@]}")
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    image
    compose "${profiles[@]}" up -d "${missing[@]}" >"$PENSTOCK_CLUSTER_DIR/compose.log" 2>&1 ||
      { cat "$PENSTOCK_CLUSTER_DIR/compose.log" >&2; return 1; }
  fi
  await "${servers[@]}"
  docker exec penstock-toolbox-hadoop seed
  if [ "$(docker inspect -f '{{.Config.Image}}' penstock-kdc)" != "$(image_name)" ]; then
    say "this runs an older image than the checkout would make; down and up again for the new one"
  fi
  say "ready: ${servers[*]}"
}

remove() {
  docker ps -aq --filter label=io.penstock.cluster="$PENSTOCK_CLUSTER_DIR" | xargs -r docker rm -f >/dev/null
}

down() {
  lock
  remove
}

# docker stats takes seconds; this is the resident memory of the server's processes.
memory() { docker top "penstock-$1" -o pid,rss | awk 'NR > 1 { sum += $2 } END { printf "%d MiB", sum / 1024 }'; }

status() {
  local server state
  for server in "${base_servers[@]}" "${hbase_servers[@]}" "${kms_servers[@]}"; do
    state=$(state "$server")
    if [ "$state" = running ]; then
      if docker exec "penstock-$server" ready "$server" 2>/dev/null; then state=ready; else state='not ready'; fi
      state="$state, $(memory "$server")"
    fi
    printf '%-15s %s\n' "$server" "${state:-absent}"
  done
}

# The servers read their configuration when they start; the toolbox too.
set_switches() {
  lock
  local switch file=$PENSTOCK_CLUSTER_DIR/settings.env
  for switch in "$@"; do
    if ! [[ $switch =~ ^[A-Z_]+=[A-Za-z0-9/_,.:@=\ +-]*$ ]]; then
      say "want NAME=VALUE, not $switch"
      exit 2
    fi
    printf '%s=%q\n' "${switch%%=*}" "${switch#*=}"
  done | sort >"$file.new"
  if cmp -s "$file.new" "$file" || { [ ! -s "$file.new" ] && [ ! -s "$file" ]; }; then
    rm "$file.new"
    return
  fi
  mv "$file.new" "$file"
  restart kdc
  restart "${hdfs_servers[@]}" toolbox-hadoop
}

containers() { printf 'penstock-%s\n' "$@"; }
restart() {
  containers "$@" | xargs docker restart -t 10 >/dev/null
  await "$@"
}

command=${1:-help}
shift || true
case $command in
up) up "$@" ;;
down) down ;;
reset) down && rm -rf "$PENSTOCK_CLUSTER_DIR" ;;
status) status ;;
set) set_switches "$@" ;;
start) containers "$@" | xargs docker start >/dev/null && await "$@" ;;
stop) containers "$@" | xargs docker stop -t 10 >/dev/null ;;
kill) containers "$@" | xargs docker kill -s KILL >/dev/null ;;
pause) containers "$@" | xargs docker pause >/dev/null ;;
resume) containers "$@" | xargs docker unpause >/dev/null && await "$@" ;;
restart) restart "$@" ;;
logs) docker logs "${@:2}" "penstock-$1" ;;
shell)
  lock
  image
  exec 9>&-
  tty=()
  if [ -t 0 ]; then tty=(-t); fi
  exec docker run --rm -i "${tty[@]}" --network host -e "DIR=$PENSTOCK_CLUSTER_DIR" \
    -v "$PENSTOCK_CLUSTER_DIR:$PENSTOCK_CLUSTER_DIR" --entrypoint shell "$PENSTOCK_CLUSTER_IMAGE" "$@"
  ;;
image)
  lock
  image
  echo "$PENSTOCK_CLUSTER_IMAGE"
  ;;
*) usage ;;
esac
