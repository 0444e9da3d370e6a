#!/bin/sh
# Makes build/readers, a Python environment with readers of Parquet and Avro, and a producer's serializer, that share no code with Penstock. Does nothing when it is there.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
env="$root/build/readers"
wanted="pyarrow==26.0.1 duckdb==2.0.0 pytz==2026.6 fastavro==1.13.1 cramjam==2.14.0 confluent-kafka[avro,schemaregistry]==2.16.1"
if [ "$(cat "$env/.complete" 2>/dev/null || true)" = "$wanted" ]; then
	exit 0
fi
rm -rf "$env"
python3 -m venv "$env" || {
	echo "python3 cannot make an environment: on Debian and Ubuntu, apt-get install python3-venv" >&2
	exit 1
}
# shellcheck disable=SC2086
"$env/bin/pip" install --quiet --disable-pip-version-check $wanted
echo "$wanted" >"$env/.complete"
