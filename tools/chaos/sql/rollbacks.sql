-- rollbacks() -> count bigint
-- Transactions of this database that were rolled back so far.
select xact_rollback from pg_stat_database where datname = current_database()
