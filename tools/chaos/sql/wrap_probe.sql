-- wrap_probe() -> xid
-- Needs the number of a new transaction; 54000 when the server gives none.
select pg_current_xact_id()
