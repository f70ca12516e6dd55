-- Makes the logical slot where the server can. One row: whether there is one.
select case when current_setting('wal_level') = 'logical'
	then (select slot_name is not null from pg_create_logical_replication_slot('locum_chaos', 'pgoutput'))
	else false end as made
