-- Partitions of locum.finished, one per UTC day.

-- locum.finished_prepare(first date, last date): makes the missing partitions of these days.
-- CREATE + ATTACH takes only SHARE UPDATE EXCLUSIVE on the parent, so completions go on meanwhile.
-- Returns how many were made. Errors: none that a repetition would not mend.
create or replace function locum.finished_prepare(first date, last date) returns int
language plpgsql set search_path = pg_catalog, locum, pg_temp as $$
declare
	today date;
	partition text;
	made int := 0;
begin
	for today in select generate_series(first, last, interval '1 day')::date loop
		partition := 'finished_' || to_char(today, 'YYYYMMDD');
		continue when to_regclass('locum.' || partition) is not null;
		perform pg_advisory_xact_lock(hashtext('locum.finished'));
		continue when to_regclass('locum.' || partition) is not null;
		execute format('create table locum.%I (like locum.finished including defaults '
			'including constraints including storage including compression)', partition);
		execute format('alter table locum.finished attach partition locum.%I '
			'for values from (%L) to (%L)', partition,
			today::timestamp at time zone 'UTC', (today + 1)::timestamp at time zone 'UTC');
		made := made + 1;
	end loop;
	return made;
end
$$;
revoke all on function locum.finished_prepare(date, date) from public;
