# shellcheck shell=sh
# What the kernel counts: sourced by run.sh, which sets these.
: "${top=}"

# cpu_of PID…: seconds of CPU that all threads of these processes have had
cpu_of() {
	for pid; do
		cat "/proc/$pid/task/"*/schedstat 2> /dev/null || :
	done | awk '{ ns += $1 } END { printf "%.6f\n", ns / 1e9 }'
}

# The whole server's, with the processes that have ended.
cpu_of_server() {
	postmaster=$(head -n 1 "$top/pg/data/postmaster.pid")
	# shellcheck disable=SC2046
	live=$(cpu_of "$postmaster" $(cat "/proc/$postmaster/task/$postmaster/children"))
	ended=$(awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($14 + $15) / tick }' \
		"/proc/$postmaster/stat")
	echo "$live $ended" | awk '{ print $1 + $2 }'
}

# now: seconds, as a clock that only goes on
now() {
	cut -d ' ' -f 1 /proc/uptime
}

# pass SECONDS: the time that is measured
pass() {
	timeout "$1" tail -f /dev/null || :
}

# percent BEFORE AFTER BEGAN ENDED: of a core
percent() {
	echo "$@" | awk '{ printf "%.4f\n", 100 * ($2 - $1) / ($4 - $3) }'
}
