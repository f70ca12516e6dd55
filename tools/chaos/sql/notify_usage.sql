-- notify_usage() -> millionths bigint
-- How full the queue of notifications is.
select (pg_notification_queue_usage() * 1000000)::bigint
