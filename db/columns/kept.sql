created_at, run_at, expires_at, claim_seq, retry_of, follows, timeout_ms, retry_delay_ms, retry_cap_ms,
queue_id, on_interrupt, retry_backoff, priority, max_attempts, handler, submitted_by, key, traceparent,
payload, labels, follow_ups
