# shellcheck shell=sh disable=SC2034
# The cluster that is measured on: the tests' one, made durable. Sourced by run.sh, which sets these.
: "${home:?}" "${cluster:?}" "${bin:?}" "${measurer:?}"

top=

# sql COMMAND…: psql with bare values on stdout
sql() {
	psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -d "$conninfo" "$@"
}

clean_up() {
	trap '' HUP INT TERM PIPE
	[ -z "$top" ] || "$cluster" stop "$top/pg"
	[ -z "$top" ] || rm -rf "$top"
}

start_cluster() {
	top=$(mktemp -d "${TMPDIR:-/tmp}/locum-bench.XXXXXX")
	trap clean_up EXIT
	trap 'exit 130' HUP INT TERM PIPE
	chmod 755 "$top"
	conninfo="host=$top/pg dbname=postgres user=postgres"
	"$cluster" start "$top/pg"
	while read -r setting value; do
		sql -c "alter system set $setting = '$value'"
	done < "$home/settings"
	owner=$(stat -c %U "$top/pg/data")
	pg_bin=$(pg_bin)
	(cd "$top/pg" && as "$owner" "$pg_bin/pg_ctl" restart --pgdata="$top/pg/data" --wait \
		--log="$top/pg/server.log" > /dev/null)
	"$bin/locum" init -d "$conninfo" 2> /dev/null
	sql -f "$home/sql/until.sql" -f "$home/sql/schema_bare.sql"
}

pg_bin() {
	eval "$("$cluster" environment "$top/pg")"
	echo "$LOCUM_TEST_PG_BIN"
}

as() {
	user=$1
	shift
	if [ "$(id -un)" = "$user" ]; then
		"$@"
	else
		setpriv --reuid="$user" --regid="$user" --init-groups --reset-env "$@"
	fi
}

empty_tables() {
	sql -f "$home/sql/empty.sql"
}

# fill JOBS HANDLER: locum's table with so many jobs, and nothing else
fill() {
	empty_tables
	"$measurer" -d "$conninfo" --jobs "$1" --batch 10000 --handler "$2" submit > /dev/null
	sql -c 'vacuum analyze locum.job' -c checkpoint
}

# keep none|all: finished jobs of the default queue
keep() {
	sql -v time="$([ "$1" = none ] && echo 0 || echo '7 days')" -f "$home/sql/keep.sql" > /dev/null
}
