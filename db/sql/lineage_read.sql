-- lineage_read() -> system_id, timeline, standby, backend_pid, stalled
-- Which database this is: its system identifier never changes, its timeline rises with every promotion of
-- a standby. The timeline is that of what is written now: the last checkpoint may be older than a promotion.
-- Stalled: another session of the same name has waited for a standby for a second, and would not be the last.
select system_identifier as system_id,
	case when pg_is_in_recovery() then 0
		else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint end as timeline,
	pg_is_in_recovery() as standby, pg_backend_pid() as backend_pid,
	exists (
		select from pg_stat_activity
		where wait_event = 'SyncRep' and pid <> pg_backend_pid()
			and application_name = current_setting('application_name')
			and state_change < clock_timestamp() - interval '1 second'
	) as stalled
from pg_control_system()
