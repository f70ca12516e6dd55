set local client_min_messages = warning;
drop table if exists locum_chaos.filler
