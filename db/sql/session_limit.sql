-- session_limit(statement_timeout_ms bigint) -> nothing
-- No statement of this connection may take longer.
select set_config('statement_timeout', $1::bigint::text, false),
	set_config('lock_timeout', $1::bigint::text, false)
