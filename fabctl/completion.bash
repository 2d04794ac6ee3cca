# Bash completion for fabctl: verbs, options, and the names that the running fabric knows.

# Names of one kind of resource.
_fabctl_names() {
	fabctl "${_fabctl_where[@]}" -o json get "$1" 2>/dev/null | sed -n 's/^    "name": "\(.*\)",\{0,1\}$/\1/p'
}

_fabctl_processes() {
	fabctl "${_fabctl_where[@]}" -o json ps 2>/dev/null | sed -n 's/^    "name": "\(.*\)",\{0,1\}$/\1/p'
}

_fabctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=() i
	local kinds="vnet peering route_table route_server nva gateway circuit site vm load_balancer client route_map fabric"
	local verbs="up down check apply diff get set delete ps kill pause resume stop start restart link routes
		gateway circuit router nexthop explain trace nics backends metrics exec probe capture wait test chaos compose events timeline health help"
	local _fabctl_where=()

	case $prev in
	-o | --output) COMPREPLY=($(compgen -W "table json yaml" -- "$cur")); return ;;
	--packets) COMPREPLY=($(compgen -W "auto on off" -- "$cur")); return ;;
	--engine) COMPREPLY=($(compgen -W "auto userspace bpf" -- "$cur")); return ;;
	--junit | --html) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--run-dir) COMPREPLY=($(compgen -d -- "$cur")); return ;;
	--faults) COMPREPLY=($(compgen -W "kill pause cut" -- "$cur")); return ;;
	--url | --seed | --replay | --only | --limit | --bound | --wait | --timeout | --pps | --duration | --max-lost | --delay | --jitter | --loss | --rate | --count | --jobs)
		return ;;
	-w | --write) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	esac
	# The words so far, without options and their values; where to ask for names.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--url | --run-dir) _fabctl_where=("${COMP_WORDS[i]}" "${COMP_WORDS[++i]}") ;;
		-o | --output | --wait | --timeout | --packets | --engine | --pps | --duration | --max-lost | --delay | --jitter | \
			--loss | --rate | --count | -w | --write | --junit | --jobs | --faults | --html | --seed | --replay | --only | \
			--limit | --bound) ((i++)) ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done
	if [[ $cur == -* ]]; then
		local opts="--output --url --run-dir --help"
		case ${words[0]-} in
		'') opts+=" --version" ;;
		up) opts+=" --wait --packets --engine" ;;
		probe) opts+=" --pps --duration --tcp --max-lost" ;;
		capture) opts+=" --write --count" ;;
		apply) opts+=" --dry-run" ;;
		wait) opts+=" --timeout" ;;
		test) opts+=" --junit --tap --keep --jobs --seed --timing --running" ;;
		chaos) opts+=" --faults --pairs --html --junit --only --replay --seed --limit --bound --packets --jobs" ;;
		compose) opts+=" --directory --build --image --test --packets --engine --timing" ;;
		trace) opts+=" --both" ;;
		events) opts+=" --follow" ;;
		link) opts+=" --one-way --delay --jitter --loss --rate" ;;
		esac
		COMPREPLY=($(compgen -W "$opts" -- "$cur"))
		return
	fi
	local list=
	case "${words[*]}" in
	'' | help) list=$verbs ;;
	up | check | apply | diff | chaos | compose | test | 'test '*) COMPREPLY=($(compgen -f -X '!*.y?(a)ml' -- "$cur") $(compgen -d -- "$cur")); return ;;
	get | set | delete) list=$kinds ;;
	'get '* | 'set '* | 'delete '*) ((${#words[@]} > 2)) || list=$(_fabctl_names "${words[1]}") ;;
	kill | pause | resume | stop | start | restart) list=$(_fabctl_processes) ;;
	link) list="cut restore set clear list get" ;;
	'link '*) ((${#words[@]} > 3)) || list="$(_fabctl_processes) $(_fabctl_names vm)" ;;
	routes) list="effective learned advertised peers" ;;
	'routes effective') list="$(_fabctl_names vm) $(_fabctl_names nva) $(_fabctl_names route_server)" ;;
	backends) list=$(_fabctl_names load_balancer) ;;
	nexthop | explain | nics | capture) list="$(_fabctl_names vm) $(_fabctl_names nva)" ;;
	'routes learned' | 'routes advertised' | 'routes peers') list=$(_fabctl_names route_server) ;;
	'routes learned '* | 'routes advertised '*) ((${#words[@]} > 3)) || list=$(_fabctl_names nva) ;;
	gateway) list="learned advertised peers" ;;
	'gateway learned' | 'gateway advertised' | 'gateway peers') list=$(_fabctl_names gateway) ;;
	'gateway learned '* | 'gateway advertised '*) ((${#words[@]} > 3)) || list=$(_fabctl_processes) ;;
	circuit | router) list=routes ;;
	'circuit routes') list=$(_fabctl_names circuit) ;;
	'circuit routes '*) ((${#words[@]} > 3)) || list="primary secondary" ;;
	'router routes') list="$(_fabctl_names nva) $(_fabctl_names site)" ;;
	trace | 'trace '*) ((${#words[@]} > 2)) || list="$(_fabctl_names vm) $(_fabctl_names nva) $(_fabctl_names site)" ;;
	exec) list="$(_fabctl_names vm) $(_fabctl_names nva)" ;;
	'exec '*) COMPREPLY=($(compgen -c -- "$cur")); return ;;
	probe | 'probe '*) ((${#words[@]} > 2)) || list="$(_fabctl_names vm) $(_fabctl_names nva)" ;;
	wait) list=converged ;;
	esac
	COMPREPLY=($(compgen -W "$list" -- "$cur"))
}

complete -F _fabctl fabctl
