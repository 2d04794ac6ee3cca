#!/bin/sh
# OpenBGPD. It dials port 179 only, so the Route Server dials it. Needs root.
set -eu
. "$(dirname "$0")/common.sh"
PATH=$PATH:/usr/sbin
conf=$NVA_DIR/bgpd.conf socket=$NVA_DIR/bgpd.sock

configure() {
	echo "AS $NVA_AS"
	echo "router-id $NVA_NEXT_HOP"
	echo "fib-update no"
	echo "listen on $NVA_ADDRESS port $RS_PORT"
	echo "socket \"$socket\""
	echo "nexthop qualify via default"
	while read -r prefix next_hop _; do
		echo "network $prefix set nexthop $next_hop"
	done <"$routes"
	for rs in $RS_ADDRESSES; do
		echo "neighbor $rs {"
		echo "	remote-as $RS_AS"
		echo "	multihop 4"
		echo "	local-address $NVA_ADDRESS"
		echo "	holdtime $NVA_HOLD"
		echo "	passive"
		echo "}"
	done
	echo "allow from any"
	while read -r prefix _ prepends community _; do
		set -- nexthop no-modify # over multihop it would be our own address
		[ "$prepends" -eq 0 ] || set -- "$@" prepend-self "$prepends"
		[ "$community" = - ] || set -- "$@" community "$community"
		echo "allow to any prefix $prefix set { $* }"
	done <"$routes"
}

reload() {
	configure >"$conf"
	bgpctl -s "$socket" reload >/dev/null
}

case $1 in
describe)
	echo "OpenBGPD $(bgpd -V 2>&1 | sed -n 's/.*OpenBGPD[- ]*//p' | head -1)"
	echo "dialled"
	;;
run)
	[ "$(id -u)" -eq 0 ] || cannot "OpenBGPD needs root"
	mkdir -p /run/openbgpd # where it locks itself in
	(umask 077 && configure >"$conf")
	exec bgpd -d -f "$conf"
	;;
announce)
	shift
	remember "$@"
	[ "$path" = - ] || { forget "$prefix" && cannot "OpenBGPD cannot put another ASN into a path"; }
	reload
	;;
withdraw)
	forget "$2"
	reload
	;;
knows) bgpctl -s "$socket" show rib "$2" | grep -q "$2" ;;
esac
