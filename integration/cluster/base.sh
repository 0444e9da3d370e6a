#!/bin/bash
# Makes the image that the Dockerfile starts from: debian:bookworm-slim, pulled where an image registry can be reached and
# made with debootstrap where not, with the extra certificates and apt settings of this machine, so that apt and Maven
# work inside as they do outside. Does nothing when the image is there.
set -euo pipefail

image=${1:?usage: base.sh IMAGE}
plain=debian:bookworm-slim

if docker image inspect "$image" >/dev/null 2>&1; then exit 0; fi

if ! docker image inspect $plain >/dev/null 2>&1 && ! timeout 120 docker pull -q $plain 2>/dev/null; then
  echo "base.sh: $plain cannot be pulled here; making it with debootstrap"
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$root.log" 2>&1 ||
    { tail -20 "$root.log" >&2; exit 1; }
  rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  tar -C "$root" -c . | docker import - $plain >/dev/null
fi

container=$(docker create --network none $plain true)
trap 'docker rm -f "$container" >/dev/null; rm -rf "${root:-}"' EXIT
if [ -d /usr/local/share/ca-certificates ]; then
  docker cp /usr/local/share/ca-certificates "$container:/usr/local/share/"
fi
for file in /etc/apt/apt.conf.d/*; do
  case $file in
  # Hooks that call programs which are not in the image.
  *packagekit* | *appstream* | *docker*) ;;
  *) docker cp "$file" "$container:/etc/apt/apt.conf.d/" ;;
  esac
done
docker commit "$container" "$image" >/dev/null
