-- agent_list() -> incarnation, name, pid, size, queues, handlers, broken, _queues, _handlers, _broken
-- The agents of the living dispatchers, with the pid of the dispatcher. The lists come as JSON and, for
-- people, as words.
select agent.incarnation, name::text, pid, size, to_json(queues) as queues, to_json(handlers) as handlers,
	to_json(broken) as broken, array_to_string(queues, ', ') as _queues,
	array_to_string(handlers, ', ') as _handlers, array_to_string(broken, ', ') as _broken
from locum.agent
join locum.dispatcher using (incarnation)
order by host, pid, name
