-- What was put off by a clock that was ahead is due now, and not in an hour.
update locum.job set run_at = clock_timestamp()
where state = 'scheduled' and run_at > clock_timestamp() + interval '10 minutes';
