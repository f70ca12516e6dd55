-- finished_count() -> count
select count(*) as count from locum.finished
