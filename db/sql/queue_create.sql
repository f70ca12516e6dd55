-- queue_create(name text, paused boolean, keep_finished_ms bigint) -> done
-- Whether the queue was made; a negative time stands for the default.
select locum.queue_create($1::text, $2::boolean,
	case when $3::bigint >= 0 then $3::bigint * interval '1 millisecond' end) as done
