-- gate_end(incarnation uuid, ids bigint[], claim_ids uuid[]) -> pid
-- Ends the connections that hold the gates of these jobs, whose runs are over: their hosts are gone, and the server has
-- not noticed. A job that is claimed anew by now is left alone, for its gate may be that of another run. Those that this
-- role may not end are left to client_connection_check_interval.
-- Materialized, for the planner would call the cheap pg_terminate_backend first, on everybody.
with orphan as materialized (
	select activity.pid
	from unnest($2::bigint[], $3::uuid[]) as given (id, claim_id)
	join locum.job on job.id = given.id and job.claim_id = given.claim_id
	join pg_stat_activity as activity
		on activity.application_name = format('locum/job/%s/%s', job.id, $1::uuid)
	join pg_roles as role on role.oid = activity.usesysid
	where activity.datname = current_database() and activity.pid <> pg_backend_pid()
		and (pg_has_role(role.oid, 'usage')
			or (pg_has_role('pg_signal_backend', 'usage') and not role.rolsuper))
)
select pid from orphan where pg_terminate_backend(pid)
