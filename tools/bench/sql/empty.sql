-- Empties what jobs and dispatchers leave, for psql.
truncate locum.job, locum.finished, locum.receipt, locum.dispatcher, locum.dispatcher_ping, locum.agent, locum.death,
	locum.signal, locum.request;
truncate bare.job, bare.finished;
