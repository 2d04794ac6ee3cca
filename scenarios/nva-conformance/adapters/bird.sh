#!/bin/sh
# BIRD 2
set -eu
. "$(dirname "$0")/common.sh"
conf=$NVA_DIR/bird.conf socket=$NVA_DIR/bird.ctl

static() {
	while read -r prefix _; do
		echo "	route $prefix unreachable;"
	done <"$routes"
}

filter() {
	while read -r prefix next_hop prepends community path; do
		echo "	if net = $prefix then {"
		echo "		bgp_next_hop = $next_hop;"
		[ "$path" = - ] || echo "		bgp_path.prepend($path);"
		for asn in $(repeat "$prepends" "$NVA_AS"); do
			echo "		bgp_path.prepend($asn);"
		done
		[ "$community" = - ] || echo "		bgp_community.add((${community%:*}, ${community#*:}));"
		echo "		accept;"
		echo "	}"
	done <"$routes"
}

sessions() {
	i=0
	for rs in $RS_ADDRESSES; do
		echo "protocol bgp rs_$i from route_server { neighbor $rs port $RS_PORT as $RS_AS; }"
		i=$((i + 1))
	done
}

configure() {
	cat >"$conf" <<END
log stderr all;
router id $NVA_NEXT_HOP;
protocol device { }
protocol static own {
	ipv4;
$(static)
}
filter to_azure {
	if proto != "own" then reject;
$(filter)
	reject;
}
template bgp route_server {
	local $NVA_ADDRESS port $RS_PORT as $NVA_AS;
	multihop; strict bind;
	hold time $NVA_HOLD; keepalive time 1;
	connect retry time 1; connect delay time 1; error wait time 1, 2;
	ipv4 { import all; export filter to_azure; };
}
$(sessions)
END
}

reload() {
	configure
	birdc -s "$socket" configure >/dev/null
}

case $1 in
describe) bird --version 2>&1 | sed 's/ version//' ;;
run)
	configure
	exec bird -f -c "$conf" -s "$socket" -P "$NVA_DIR/bird.pid"
	;;
announce)
	shift
	remember "$@"
	reload
	;;
withdraw)
	forget "$2"
	reload
	;;
knows) birdc -r -s "$socket" show route "$2" | grep -q "^$2 " ;;
esac
