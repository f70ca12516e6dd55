-- epoch_ensure() -> nothing
-- Makes the epoch's row again after a crash recovery emptied its table.
insert into locum.epoch default values on conflict do nothing
