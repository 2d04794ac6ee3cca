#!/bin/sh
# ExaBGP. It keeps no table: a helper hands it commands from a pipe and writes down what it hears.
set -eu
. "$(dirname "$0")/common.sh"
pipe=$NVA_DIR/commands heard=$NVA_DIR/heard

# A route as a command. With a path of its own ExaBGP leaves out the AS that it is.
command_of() {
	set -- "announce route $1 next-hop $2" "$3" "$4" "$5"
	line=$1
	if [ "$2" -gt 0 ] || [ "$4" != - ]; then
		line="$line as-path [ $NVA_AS$(repeat "$2" "$NVA_AS")$([ "$4" = - ] || echo " $4") ]"
	fi
	[ "$3" = - ] || line="$line community [ $3 ]"
	echo "$line"
}

configure() {
	echo "process helper { run $0 helper; encoder json; }"
	for rs in $RS_ADDRESSES; do
		cat <<END
neighbor $rs {
	router-id $NVA_NEXT_HOP;
	local-address $NVA_ADDRESS;
	local-as $NVA_AS;
	peer-as $RS_AS;
	hold-time $NVA_HOLD;
	connect $RS_PORT;
	capability { route-refresh enable; }
	family { ipv4 unicast; }
	api { processes [ helper ]; neighbor-changes; receive { parsed; update; } }
}
END
	done
}

case $1 in
describe) echo "ExaBGP $(exabgp --version 2>/dev/null | sed -n 's/^ExaBGP *: *//p')" ;;
run)
	configure >"$NVA_DIR/exabgp.conf"
	rm -f "$pipe" "$heard"
	mkfifo "$pipe"
	exec env "exabgp.daemon.user=$(id -un)" exabgp.log.destination=stdout exabgp.api.cli=false exabgp.api.ack=false \
		exabgp "$NVA_DIR/exabgp.conf"
	;;
helper)
	exec 3<&0 # the input of what runs in the background is empty otherwise
	cat <&3 >"$heard" &
	while read -r prefix next_hop prepends community path; do
		command_of "$prefix" "$next_hop" "$prepends" "$community" "$path"
	done <"$routes"
	while :; do
		cat "$pipe"
	done
	;;
announce)
	shift
	remember "$@"
	command_of "$prefix" "$next_hop" "$prepends" "$community" "$path" >"$pipe"
	;;
withdraw)
	forget "$2"
	echo "withdraw route $2" >"$pipe"
	;;
knows) grep -q "\"nlri\": \"$2\"" "$heard" ;;
esac
