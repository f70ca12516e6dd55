begin;
lock table locum.dispatcher_ping in access exclusive mode
