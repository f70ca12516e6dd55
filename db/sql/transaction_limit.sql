-- transaction_limit(statement_timeout_ms bigint) -> nothing
-- No statement of this transaction may take longer; 0: any time.
select set_config('statement_timeout', $1::bigint::text, true)
