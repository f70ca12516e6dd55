-- job_horizon() -> id
-- The highest id that a job may have by now.
select last_value as id from locum.job_id_seq
