-- job_episodes(id bigint)
--   -> claim_seq, attempt, incarnation, dispatcher_id, host, pid, claimed_at, started_at, ended_at, outcome, error, declared_by, declared_by_host, declared_by_pid, declared_at, last_ping, returned_at, _now
-- The claims of a job that ended without its end, oldest first, with the death certificate of the
-- dispatcher that lost it, if that is how it ended.
with history as (
	select history from locum.job where id = $1::bigint
	union all
	select history from locum.finished where id = $1::bigint
), episode as (
	select n, e.*
	from history, jsonb_array_elements(history) with ordinality as entry (value, n),
		jsonb_to_record(value) as e (claim_seq bigint, attempt int, incarnation uuid,
			claimed_at timestamptz, started_at timestamptz, ended_at timestamptz, outcome text,
			error text)
)
select episode.claim_seq, episode.attempt, episode.incarnation, owner.id as dispatcher_id, owner.host,
	owner.pid, claimed_at, episode.started_at, episode.ended_at, outcome, error, death.declared_by,
	reaper.host as declared_by_host, reaper.pid as declared_by_pid, declared_at, last_ping,
	returned_at, clock_timestamp() as _now
from episode
left join locum.dispatcher as owner on owner.incarnation = episode.incarnation
left join locum.death on outcome in ('interrupted', 'reclaimed')
	and death.victim_incarnation = episode.incarnation
left join locum.dispatcher as reaper on reaper.incarnation = death.declared_by
order by n
