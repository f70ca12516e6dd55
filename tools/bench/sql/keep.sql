-- Keeps finished jobs of the default queue for :'time', for psql.
select locum.queue_create('default'), locum.queue_set('default', :'time')
