-- Takes back queue_forget.
update locum.queue set keep_finished = '7 days';
