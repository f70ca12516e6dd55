insert into locum_chaos.held (incarnation, what) values ($1::uuid, $2) returning 1
