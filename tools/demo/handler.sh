#!/bin/sh
# handler.sh FOLDER: the handler of `make run`. Runs digest.sh beside it, and notes in FOLDER what a
# job queue must not hide: each beginning and each end of a run, and whether an earlier run of the
# same job is still alive when one begins.
set -eu
notes=$1
read -r now _ < /proc/uptime

# Whether a process is a run of this job, not somebody who got its number later.
is_run() {
	[ -r "/proc/$1/environ" ] && grep -qzx "LOCUM_JOB_ID=$LOCUM_JOB_ID" "/proc/$1/environ"
}

if [ -e "$notes/$LOCUM_JOB_ID" ]; then
	read -r earlier < "$notes/$LOCUM_JOB_ID"
	if is_run "$earlier"; then
		echo "overlap $LOCUM_JOB_ID $LOCUM_CLAIM_SEQ $now" >> "$notes/log"
	fi
fi
echo $$ > "$notes/$LOCUM_JOB_ID"
echo "begin $LOCUM_JOB_ID $LOCUM_CLAIM_SEQ $now" >> "$notes/log"
/bin/sh "${0%/*}/digest.sh"
echo "end $LOCUM_JOB_ID $LOCUM_CLAIM_SEQ" >> "$notes/log"
