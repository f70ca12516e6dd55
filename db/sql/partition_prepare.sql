-- partition_prepare(days int) -> made
-- Makes the partitions of locum.finished from today on for that many days ahead.
select locum.finished_prepare((now() at time zone 'UTC')::date,
	(now() at time zone 'UTC')::date + $1::int) as made
