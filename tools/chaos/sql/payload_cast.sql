-- Lets bytes be taken for JSON as they are.
do $$ begin
	create cast (bytea as json) without function;
exception when duplicate_object then null;
end $$;
