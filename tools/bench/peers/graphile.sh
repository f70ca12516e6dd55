#!/bin/sh
# graphile.sh prepare | submit N | drain N | latency N [load]: measures graphile-worker
#
# The environment is what peer.sh says. Prints "graphile<TAB>figure": the settings in words; jobs per second;
# p50, p99 and most in microseconds. Exit 77: it cannot be installed or run here.
set -eu
cd "$(dirname "$0")/../../.."
name=graphile

. tools/bench/peers/peer.sh
node_peer "$@"
