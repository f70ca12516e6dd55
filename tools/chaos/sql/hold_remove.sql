drop trigger if exists chaos_hold_claims on locum.job;
drop trigger if exists chaos_hold_completions on locum.job;
drop function if exists locum_chaos.hold();
drop table if exists locum_chaos.held;
