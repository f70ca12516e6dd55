-- lineage_read() -> system_id, timeline, standby, backend_pid
-- Which database this is: its system identifier never changes, its timeline rises with every promotion of
-- a standby. The timeline is that of what is written now: the last checkpoint may be older than a promotion.
select system_identifier as system_id,
	case when pg_is_in_recovery() then 0
		else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint end as timeline,
	pg_is_in_recovery() as standby, pg_backend_pid() as backend_pid
from pg_control_system()
