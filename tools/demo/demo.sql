-- What the demonstration keeps and asks beside locum's own tables. It has a cluster of its own.

create schema demo;

-- What each submitted job must bring about, in the order of submission.
create table demo.expected (id bigint primary key, sha256 text not null, size bigint not null);

-- The dispatchers that something is done to.
create table demo.victim (
	incarnation uuid primary key,
	deed text not null,
	done_at timestamptz not null default clock_timestamp()
);

-- demo.wait_for(what text, condition text, longest interval): returns once the condition, an SQL expression,
-- holds. Errors: P0001 when that takes too long.
create function demo.wait_for(what text, condition text, longest interval) returns void
language plpgsql as $$
declare
	deadline timestamptz := clock_timestamp() + longest;
	holds boolean := false;
begin
	while not holds loop
		if clock_timestamp() > deadline then
			raise '% did not happen within %', what, longest;
		end if;
		perform pg_sleep(0.02);
		execute 'select ' || condition into holds;
	end loop;
end $$;

-- demo.seconds(later timestamptz, earlier timestamptz): "2.34 s".
create function demo.seconds(later timestamptz, earlier timestamptz) returns text
language sql as $$
	select to_char(extract(epoch from later - earlier), 'FM9990.00') || ' s'
$$;

-- What must hold: a figure, and what it must be.
create view demo.verdict as
select 1 as line, 'jobs' as what, (select count(*) from demo.expected) as figure,
	(select count(distinct f.id) from locum.finished f) as wanted
union all
select 2, 'lost', count(*), 0 from demo.expected e
where not exists (select from locum.finished f where f.id = e.id)
union all
select 3, 'unfinished', count(*), 0 from locum.job
union all
select 4, 'completed twice', count(*), 0
from (select id from locum.finished group by id having count(*) > 1) as twice
union all
select 5, 'failed', count(*), 0 from locum.finished where state <> 'completed'
union all
select 6, 'results that equal sha256sum''s', count(*), (select count(*) from demo.expected)
from demo.expected e join locum.finished f using (id)
where f.result ->> 'sha256' = e.sha256 and (f.result ->> 'size')::bigint = e.size
union all
-- Deflate adds five bytes to a block that it cannot shrink, gzip eighteen and a header's name.
select 7, 'sizes that gzip cannot have made', count(*), 0
from demo.expected e join locum.finished f using (id)
where (f.result ->> 'gzip')::bigint not between 18 and e.size + e.size / 1000 + 64;

-- The deaths, and how long each step took.
create view demo.death as
select death.declared_at, deed, dispatcher.pid, reclaimed,
	demo.seconds(death.declared_at, done_at) as declared,
	demo.seconds(reclaimed_at, done_at) as taken_back,
	demo.seconds(death.declared_at, last_ping) as silent,
	demo.seconds(returned_at, done_at) as returned
from locum.deaths as death
join locum.dispatcher on dispatcher.incarnation = death.victim_incarnation
left join demo.victim on victim.incarnation = death.victim_incarnation;
