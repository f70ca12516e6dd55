#!/bin/sh
# schema.sh SCRATCH_DIR: prints the SQL that makes the schema in an empty database as `locum init`
# does, for tests and measurements that need no program of locum's. Run from the root of the tree.
set -eu
export LC_ALL=C

scratch=$1
tools/house/states.sh type db/states.def > "$scratch/job_state_type.sql"
tools/house/states.sh functions db/states.def > "$scratch/states.sql"
for file in db/migrations/*.sql "$scratch/states.sql" db/functions/*.sql; do
	awk -v include_dir="$scratch" -v source="$file" -f tools/house/expand.awk \
		base/limits.h "$file"
done
cat <<'SQL'
insert into locum.epoch default values on conflict do nothing;
select locum.finished_prepare((now() at time zone 'UTC')::date,
	(now() at time zone 'UTC')::date + 7);
SQL
