#!/bin/sh
# FRR's bgpd, without zebra
set -eu
. "$(dirname "$0")/common.sh"
PATH=/usr/lib/frr:$PATH

# The number of a prefix in the route map: its second and third octet.
number() {
	echo "$1" | awk -F'[./]' '{ print $2 * 256 + $3 + 1 }'
}

# One route as lines of configuration.
route() {
	n=$(number "$1")
	echo "no route-map OUT permit $n"
	echo "ip prefix-list P$n permit $1"
	echo "route-map OUT permit $n"
	echo " match ip address prefix-list P$n"
	echo " set ip next-hop $2"
	as_path=$(repeat "$3" "$NVA_AS")
	[ "$5" = - ] || as_path="$as_path $5"
	[ -z "$as_path" ] || echo " set as-path prepend$as_path"
	[ "$4" = - ] || echo " set community $4"
	echo "exit"
	echo "router bgp $NVA_AS"
	echo " address-family ipv4 unicast"
	echo "  network $1"
	echo " exit-address-family"
	echo "exit"
}

configure() {
	echo "frr defaults traditional"
	echo "router bgp $NVA_AS"
	echo " bgp router-id $NVA_NEXT_HOP"
	echo " no bgp ebgp-requires-policy"
	echo " no bgp network import-check"
	for rs in $RS_ADDRESSES; do
		echo " neighbor $rs remote-as $RS_AS"
		echo " neighbor $rs port $RS_PORT"
		echo " neighbor $rs ebgp-multihop 2"
		echo " neighbor $rs update-source $NVA_ADDRESS"
		echo " neighbor $rs timers 1 $NVA_HOLD"
		echo " neighbor $rs timers connect 1"
	done
	echo " address-family ipv4 unicast"
	for rs in $RS_ADDRESSES; do
		echo "  neighbor $rs route-map OUT out"
	done
	echo " exit-address-family"
	echo "exit"
	while read -r prefix next_hop prepends community path; do
		route "$prefix" "$next_hop" "$prepends" "$community" "$path" | grep -v ^no
	done <"$routes"
}

# Lines of configuration from standard input.
change() {
	{
		echo "configure terminal"
		cat
		echo "end"
		echo "clear bgp * soft out"
	} >"$NVA_DIR/commands"
	vtysh -d bgpd --vty_socket "$NVA_DIR" <"$NVA_DIR/commands" >/dev/null 2>&1
}

case $1 in
describe) bgpd --version | sed -n '1s/.*version/FRR/p' ;;
run)
	configure >"$NVA_DIR/frr.conf"
	[ "$(id -u)" -ne 0 ] || set -- -u root -g root
	[ "$1" = -u ] || set --
	exec bgpd -f "$NVA_DIR/frr.conf" -Z -S "$@" -p "$RS_PORT" -l "$NVA_ADDRESS" -i "$NVA_DIR/bgpd.pid" \
		--vty_socket "$NVA_DIR" -P 0 --log stdout
	;;
announce)
	shift
	remember "$@"
	route "$prefix" "$next_hop" "$prepends" "$community" "$path" | change
	;;
withdraw)
	forget "$2"
	printf 'router bgp %s\n address-family ipv4 unicast\n  no network %s\n' "$NVA_AS" "$2" | change
	;;
knows) vtysh -d bgpd --vty_socket "$NVA_DIR" -c "show bgp ipv4 unicast $2" 2>/dev/null | grep -q "entry for $2" ;;
esac
