#!/bin/sh
# A service in sh that answers each job with the length of its payload: lines of JSON on descriptors 3
# and 4. The members of an order stand in the order of the protocol, so that patterns find them.
while IFS= read -r order <&3; do
	id=${order#*'"id":'}
	id=${id%%,*}
	case $order in
	'{"jsonrpc":"2.0","id":"initialize",'*)
		result='{"name":"length","version":"1","concurrency":1,"pings":false}'
		;;
	*'"method":"job.run"'*)
		payload=${order#*',"payload":'}
		payload=${payload%'}}'}
		echo "job $id" # stdout and stderr are the log
		result="{\"value\":${#payload}}"
		;;
	*) # job.cancel and shutdown: nothing runs meanwhile, and the end of the input is the end
		continue
		;;
	esac
	printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result" >&4
done
