# Sourced by the adapters: what the software announces, kept in a file, so that it survives a restart.
#
# The environment of an adapter:
#   NVA_DIR       a directory of its own; routes is in it
#   NVA_ADDRESS   where it speaks BGP from, a loopback address
#   NVA_AS        its AS
#   NVA_NEXT_HOP  the address of its NIC in Azure, the next hop of what it announces
#   NVA_HOLD      hold time, seconds
#   RS_ADDRESSES  the two instances of the Route Server
#   RS_PORT       the TCP port of all of them
#   RS_AS         their AS
# shellcheck shell=sh
routes=$NVA_DIR/routes # lines: PREFIX NEXT_HOP PREPENDS COMMUNITY PATH; -: none

# remember PREFIX [next-hop A] [prepend N] [community C] [path ASN]
remember() {
	prefix=$1 next_hop=$NVA_NEXT_HOP prepends=0 community=- path=-
	shift
	while [ $# -gt 1 ]; do
		case $1 in
		next-hop) next_hop=$2 ;;
		prepend) prepends=$2 ;;
		community) community=$2 ;;
		path) path=$2 ;;
		*) echo "$1: not an attribute" >&2 && exit 2 ;;
		esac
		shift 2
	done
	forget "$prefix"
	echo "$prefix $next_hop $prepends $community $path" >>"$routes"
}

# forget PREFIX
forget() {
	grep -v "^$1 " "$routes" >"$routes.new" || :
	mv "$routes.new" "$routes"
}

# repeat N WORD: WORD, N times
repeat() {
	n=$1
	while [ "$n" -gt 0 ]; do
		printf ' %s' "$2"
		n=$((n - 1))
	done
}

cannot() {
	echo "$*" >&2
	exit 77
}
