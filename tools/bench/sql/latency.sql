-- p50, p99 and the longest of what the plugin stamp said, in microseconds, for psql.
select percentile_disc(0.5) within group (order by us), percentile_disc(0.99) within group (order by us), max(us)
from (select (result #>> '{}')::bigint as us from locum.finished where handler = 'stamp') as stamped
