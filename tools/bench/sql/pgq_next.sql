-- pgq_next() -> batch_id bigint
-- Opens the consumer's next batch; null when there is none.
select pgq.next_batch('bench', 'bench')
