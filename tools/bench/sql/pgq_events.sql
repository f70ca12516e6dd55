-- pgq_events(batch_id bigint) -> ev_id, ev_type, ev_data
-- The events of an open batch.
select ev_id, ev_type, ev_data from pgq.get_batch_events($1::bigint)
