-- bare_pin() -> nothing
-- Pins the plans of the prototype's connection.
select set_config('plan_cache_mode', 'force_generic_plan', false),
	set_config('enable_seqscan', 'off', false)
