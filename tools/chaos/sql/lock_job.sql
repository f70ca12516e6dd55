begin;
lock table locum.job in access exclusive mode
