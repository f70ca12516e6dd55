-- handler_list() -> handler
-- The handlers that living dispatchers serve.
select distinct served.handler
from locum.agent cross join unnest(handlers) as served (handler)
order by served.handler
