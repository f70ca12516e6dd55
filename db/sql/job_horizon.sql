-- job_horizon() -> id
-- The highest id that a job may have by now; 0: none had one yet, though last_value is the first already.
select last_value - (not is_called)::int as id from locum.job_id_seq
