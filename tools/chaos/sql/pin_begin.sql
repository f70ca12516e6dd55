begin isolation level repeatable read;
select count(*) from locum.queue
