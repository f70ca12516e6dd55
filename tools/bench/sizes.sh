# shellcheck shell=sh disable=SC2034
# How much is measured: by default, with FULL=1 and with TRIAL=1; the environment wins. Sourced by run.sh.
: "${full=}"

# size NAME DEFAULT FULL TRIAL: sets NAME to what the environment has for it, or to one of the three
size() {
	name=$1
	eval "given=\${$name:-}"
	[ -z "$given" ] || return 0
	if [ -n "${TRIAL:-}" ]; then
		value=$4
	elif [ -n "$full" ]; then
		value=$3
	else
		value=$2
	fi
	eval "$name=\$value"
}

set_sizes() {
	size RUNS 5 15 1                              # of each side of a comparison
	size RUNS_LEAST 3 5 1                         # of these even when the section's time is over
	size JOBS 120000 400000 3000                  # in a table that is emptied
	size SQL_JOBS 20000 60000 500                 # of an SQL function, each in a transaction of its own
	size TRUES 3000 6000 100                      # runs of /bin/true
	size SUBMIT_JOBS 100000 500000 3000          # of a bulk submission
	size SUBMIT_SECONDS 2 10 1                    # of single submissions
	size SUBMIT_CLIENTS '1 4 16' '1 4 16' '1 4 16'
	size LATENCY_JOBS 300 1000 20                 # in one run
	size MIXED_SECONDS 300 600 6                  # at least two minutes; TRIAL counts a second as one
	size MIXED_MINUTE 60 60 2
	size MIXED_RATE 5000 5000 1000                # jobs a second
	size BACKLOGS '100000 1000000' '100000 1000000 10000000' '2000 6000'
	size BACKLOG_SECONDS 6 60 2                   # that a large one is watched
	size PINNED_JOBS 200000 1000000 4000
	size KILLS 50 100 2                           # of a dispatcher
	size IDLE_ROUNDS 3 5 1                        # of idle and fleet
	size WINDOW 15 60 2                           # seconds of these
	size PINGS 10000 20000 200                    # whose WAL is read
	size FLEETS 1000 '10 100 1000' 20
	size PREFETCHED 100000 100000 2000
	size STREAM_MB 1024 1024 8
}
