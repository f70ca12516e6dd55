#!/bin/sh
# run_spec.sh SPEC: runs one isolation spec in a new copy of the database locum_spec and compares
# what the sessions saw with the expected output. LOCUM_TEST_CONNINFO names the server.
set -eu
spec=$1
name=$(basename "$spec" .spec)
expected=$(dirname "$spec")/../expected/$name.out
server=${LOCUM_TEST_CONNINFO%% dbname=*}
tester=${LOCUM_TEST_PG_BIN%/bin}/lib/pgxs/src/test/isolation/isolationtester
export PGISOLATIONTIMEOUT=30

psql -XqAt -d "$LOCUM_TEST_CONNINFO" -c "create database \"spec_$name\" template locum_spec"
output=$(mktemp)
trap 'rm -f "$output"' EXIT
"$tester" "$server dbname=spec_$name user=postgres" < "$spec" > "$output" 2>&1 || :
if diff -u "$expected" "$output"; then
	echo "ok $name"
else
	echo "not ok $name"
fi
