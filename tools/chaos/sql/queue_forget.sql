-- Finished jobs go at the next sweep from now on. They are stored before, for their ends are known by that; and sweeps look
-- only where a queue keeps less than another does, which is what "kept" is for.
select locum.queue_create('kept') where not exists (select from locum.queue where name = 'kept');
update locum.queue set keep_finished = '1 millisecond' where name <> 'kept';
