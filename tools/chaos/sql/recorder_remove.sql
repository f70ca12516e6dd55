-- Takes the witness out of the database again. Harmless where there is none.
select pg_drop_replication_slot(slot_name) from pg_replication_slots
where slot_name = 'locum_chaos' and database = current_database();
drop publication if exists locum_chaos;
drop schema if exists locum_chaos cascade;
