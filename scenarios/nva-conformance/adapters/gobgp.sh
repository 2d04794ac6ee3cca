#!/bin/sh
# GoBGP
set -eu
. "$(dirname "$0")/common.sh"
api=50551

configure() {
	cat <<END
[global.config]
  as = $NVA_AS
  router-id = "$NVA_NEXT_HOP"
  port = $RS_PORT
  local-address-list = ["$NVA_ADDRESS"]
[[policy-definitions]]
  name = "own"
  [[policy-definitions.statements]]
    [policy-definitions.statements.conditions.bgp-conditions]
      route-type = "local"
    [policy-definitions.statements.actions]
      route-disposition = "accept-route"
[global.apply-policy.config]
  export-policy-list = ["own"]
  default-export-policy = "reject-route"
END
	for rs in $RS_ADDRESSES; do
		cat <<END
[[neighbors]]
  [neighbors.config]
    neighbor-address = "$rs"
    peer-as = $RS_AS
  [neighbors.transport.config]
    remote-port = $RS_PORT
    local-address = "$NVA_ADDRESS"
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
    hold-time = $NVA_HOLD
    keepalive-interval = 1
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 4
END
	done
}

gobgp() {
	command gobgp -u "$NVA_ADDRESS" -p "$api" "$@"
}

# PREFIX NEXT_HOP PREPENDS COMMUNITY PATH
add() {
	as_path=$(repeat "$3" "$NVA_AS")
	[ "$5" = - ] || as_path="$as_path $5"
	as_path=$(echo "${as_path# }" | tr ' ' ,)
	community=$4
	set -- "$1" nexthop "$2"
	[ -z "$as_path" ] || set -- "$@" aspath "$as_path"
	[ "$community" = - ] || set -- "$@" community "$community"
	gobgp global rib add "$@"
}

# It takes routes by its API only, and only while that answers.
add_all() {
	tries=0
	until gobgp global >/dev/null 2>&1 || [ $tries -gt 100 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	while read -r prefix next_hop prepends community path; do
		add "$prefix" "$next_hop" "$prepends" "$community" "$path"
	done <"$routes"
}

case $1 in
describe) echo "GoBGP $(gobgpd --version | sed 's/.*version //')" ;;
run)
	configure >"$NVA_DIR/gobgp.toml"
	add_all &
	exec gobgpd -t toml -f "$NVA_DIR/gobgp.toml" --api-hosts "$NVA_ADDRESS:$api" --pprof-disable
	;;
announce)
	shift
	remember "$@"
	add "$prefix" "$next_hop" "$prepends" "$community" "$path"
	;;
withdraw)
	forget "$2"
	gobgp global rib del "$2"
	;;
knows) gobgp global rib "$2" | grep -q "$2" ;;
esac
