-- Every job that there is, as records of final.log.
copy (
	select format('0 job %s %s %s %s %s %s %s', id, state, coalesce(claim_id::text, '-'), claim_seq, attempt,
		interruptions, recoveries)
	from locum.job
	union all
	select format('0 job %s %s %s %s %s %s %s', id, state, coalesce(claim_id::text, '-'), claim_seq, attempt,
		interruptions, recoveries)
	from locum.finished
) to stdout
