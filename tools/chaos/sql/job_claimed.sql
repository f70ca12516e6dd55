-- job_claimed() -> id
-- Some job that is claimed now.
select id from locum.job where claim_id is not null order by random() limit 1
