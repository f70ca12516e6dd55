-- session_pin() -> nothing
-- Pins plans on a connection that is not pooled: the statements here walk indexes in a given order, and a
-- plan made while a table was small must not be kept.
select set_config('plan_cache_mode', 'force_generic_plan', false),
	set_config('enable_seqscan', 'off', false),
	set_config('enable_hashjoin', 'off', false),
	set_config('enable_mergejoin', 'off', false),
	set_config('enable_material', 'off', false),
	set_config('enable_bitmapscan', 'off', false),
	set_config('jit', 'off', false)
