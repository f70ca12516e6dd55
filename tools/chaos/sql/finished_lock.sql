-- finished_lock() -> locked
select count(*) as locked from (select from locum.finished for update) rows
