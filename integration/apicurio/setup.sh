#!/bin/sh
# Makes build/apicurio, a schema registry with Confluent's REST interface, from its Maven artefact. Does nothing when it is there. Needs Java and Maven.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir="$root/build/apicurio"
wanted="io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all"
if [ "$(cat "$dir/.complete" 2>/dev/null || true)" = "$wanted" ]; then
	exit 0
fi
rm -rf "$dir"
mkdir -p "$dir"
mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dtransitive=false -Dartifact="$wanted"
mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$wanted" -DoutputDirectory="$dir"
tar -xzf "$dir"/*.tar.gz -C "$dir"
rm "$dir"/*.tar.gz
echo "$wanted" >"$dir/.complete"
