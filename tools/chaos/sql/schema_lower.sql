-- Takes back what schema_raise recorded.
delete from locum.migration where name = 'chaos';
