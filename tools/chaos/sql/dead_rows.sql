-- Leaves dead rows at the head of a queue's line, unseen by the triggers of the harness.
begin;
set local session_replication_role = replica;
insert into locum.job (id, queue_id, state, lane, handler)
select -number, (select id from locum.queue where name = 'default'), 'pending', 1, 'plugin'
from generate_series(1, 100000) as series (number);
delete from locum.job where id < 0;
commit
