drop table if exists locum_chaos.filler
