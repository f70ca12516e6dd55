drop trigger if exists chaos_hold_pings on locum.dispatcher_ping;
drop trigger if exists chaos_hold_claims on locum.job;
drop trigger if exists chaos_hold_completions on locum.job;
drop function if exists locum_chaos.hold();
drop function if exists locum_chaos.hold_claimed();
drop table if exists locum_chaos.held;
