-- Finished jobs leave nothing behind from now on, and what is there goes at the next sweep.
update locum.queue set keep_finished = '0';
select locum.queue_create('kept') where not exists (select from locum.queue where name = 'kept');
