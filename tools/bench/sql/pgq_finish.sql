-- pgq_finish(batch_id bigint) -> 1, or 0 when the batch was not open
-- Finishes a batch.
select pgq.finish_batch($1::bigint)
