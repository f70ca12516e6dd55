-- Whether the slot is there and can be read: a server that took over, or lost its log, has none.
select exists (select from pg_replication_slots
	where slot_name = 'locum_chaos' and database = current_database()
		and wal_status is distinct from 'lost') as found
