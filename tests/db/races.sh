#!/bin/sh
# races.sh CONNINFO OUTDIR [NAME…]: expands tests/db/specs/*.spec.in into OUTDIR, runs each spec with
# isolationtester in a new database of the server CONNINFO, compares what the sessions saw with
# tests/db/expected, and prints "ok NAME" or "not ok NAME". Exit 1 on any difference.
#
# ACCEPT=1 writes the expected files instead. LOCUM_TEST_PG_BIN is the folder of the server's programs.
set -eu
cd "$(dirname "$0")/../.."
export LC_ALL=C PGISOLATIONTIMEOUT=30

if [ $# -lt 2 ]; then
	sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
	exit 64
fi
server=$1
out=$2
shift 2
bin=${LOCUM_TEST_PG_BIN:-/usr/lib/postgresql/15/bin}
tester=${bin%/bin}/lib/pgxs/src/test/isolation/isolationtester
database=locum_races_$$
mkdir -p "$out"

sql() {
	psql -XqAt -v ON_ERROR_STOP=1 -d "$@" > "$out/psql.log" 2>&1 || {
		cat "$out/psql.log" >&2
		return 1
	}
}

# The settings of db/sql/session_pin.sql as options of a session.
pins() {
	sed -n "s/.*set_config('\([a-z_]*\)', '\([a-z_]*\)', false).*/-c \1=\2/p" \
		db/sql/session_pin.sql | tr '\n' ' '
}

# run NAME: leaves what the sessions saw in OUTDIR/NAME.out.
run() {
	tests/db/specs/expand.sh "tests/db/specs/$1.spec.in" > "$out/$1.spec"
	sql "$server" -c "drop database if exists ${database}_run" \
		-c "create database ${database}_run template $database"
	PGOPTIONS=$(pins) "$tester" "$server dbname=${database}_run" \
		< "$out/$1.spec" > "$out/$1.out" 2>&1 || :
}

trap 'sql "$server" -c "drop database if exists ${database}_run" \
	-c "drop database if exists $database" || :' EXIT
trap 'exit 1' HUP INT TERM
sql "$server" -c "create database $database"
tools/house/schema.sh "$out" > "$out/schema.sql"
cat tests/db/edges.sql tests/db/specs/scene.sql >> "$out/schema.sql"
sql "$server dbname=$database" -1 -f "$out/schema.sql"
[ $# -gt 0 ] || set -- tests/db/specs/*.spec.in
failed=0
for spec in "$@"; do
	name=$(basename "$spec" .spec.in)
	run "$name"
	expected=tests/db/expected/$name.out
	[ -z "${ACCEPT:-}" ] || cp "$out/$name.out" "$expected"
	if diff -u "$expected" "$out/$name.out"; then
		echo "ok $name"
	else
		echo "not ok $name"
		failed=1
	fi
done
exit $failed
