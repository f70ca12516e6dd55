-- transaction_limit(statement_timeout_ms bigint) -> nothing
-- No statement of this transaction may take longer, as far as the server can count; 0: any time. One whose client is
-- gone ends soon.
select set_config('statement_timeout', least($1::bigint, 2147483647)::text, true),
	set_config('client_connection_check_interval', '500ms', true)
