-- job_ended() -> id
-- A job that ended lately.
select id from (select id from locum.finished order by finished_at desc limit 50) lately order by random() limit 1
