/* The table of verbs. */
#include "fabctl/ctl.h"
#include "lib/err.h"

#include <signal.h>
#include <string.h>

const struct ctl_cmd ctl_commands[] = {
	{ "up", "FILE [--wait TIME] [--packets HOW] [--timing PROFILE]", 1, 1,
	    CTL_BIT(CTL_OPT_WAIT) | CTL_BIT(CTL_OPT_PACKETS) | CTL_BIT(CTL_OPT_ENGINE) |
		CTL_BIT(CTL_OPT_TIMING),
	    ctl_up, "start the processes of a topology and wait until converged" },
	{ "down", "", 0, 0, 0, ctl_down, "stop them all, leave nothing behind" },
	{ "check", "FILE", 1, 1, 0, ctl_check, "validate a topology file" },
	{ "apply", "FILE [--dry-run]", 1, 1, CTL_BIT(CTL_OPT_DRY_RUN), ctl_apply,
	    "change the running fabric to what the file says" },
	{ "diff", "FILE", 1, 1, 0, ctl_diff, "say what apply would change" },
	{ "get", "KIND [NAME]", 1, 2, 0, ctl_get, "show resources" },
	{ "set", "KIND NAME KEY=VALUE...", 3, CTL_POS_MAX, 0, ctl_set, "change a resource" },
	{ "delete", "KIND NAME", 2, 2, 0, ctl_delete, "delete a resource" },
	{ "ps", "", 0, 0, 0, ctl_ps, "show the processes" },
	{ "kill", "NAME [--guest]", 1, 1, CTL_BIT(CTL_OPT_GUEST), ctl_kill,
	    "end a process at once (SIGKILL), or a machine without a word" },
	{ "pause", "NAME", 1, 1, 0, ctl_pause, "let a process hang (SIGSTOP)" },
	{ "resume", "NAME", 1, 1, 0, ctl_resume, "let it go on (SIGCONT)" },
	{ "stop", "NAME", 1, 1, 0, ctl_stop, "end a process cleanly (SIGTERM)" },
	{ "start", "NAME", 1, 1, 0, ctl_start, "start a dead process or machine again" },
	{ "restart", "NAME", 1, 1, 0, ctl_restart, "stop and start a process" },
	{ "link cut", "A [B] [--one-way]", 1, 2, CTL_BIT(CTL_OPT_ONE_WAY), ctl_link_cut,
	    "drop everything between two nodes or regions, or of one NIC" },
	{ "link restore", "A [B] [--one-way]", 1, 2, CTL_BIT(CTL_OPT_ONE_WAY), ctl_link_restore,
	    "let it through again" },
	{ "link set", "A [B] [--one-way] [--delay TIME] ...", 1, 2,
	    CTL_BIT(CTL_OPT_ONE_WAY) | CTL_BIT(CTL_OPT_DELAY) | CTL_BIT(CTL_OPT_JITTER) |
		CTL_BIT(CTL_OPT_LOSS) | CTL_BIT(CTL_OPT_RATE),
	    ctl_link_set, "make it slow or lossy for packets" },
	{ "link clear", "A [B] [--one-way]", 1, 2, CTL_BIT(CTL_OPT_ONE_WAY), ctl_link_clear,
	    "make it again as the topology has it" },
	{ "link list", "", 0, 0, 0, ctl_link_list, "links that are not as good as new" },
	{ "link get", "A [B]", 1, 2, 0, ctl_link_get, "one of them" },
	{ "routes effective", "NIC|RS", 1, 1, 0, ctl_routes_effective,
	    "effective routes of a NIC (az network nic show-effective-route-table)" },
	{ "routes peers", "RS", 1, 1, 0, ctl_routes_peers,
	    "peers of a Route Server (az network routeserver peering list)" },
	{ "routes learned", "RS PEER", 2, 2, 0, ctl_routes_learned,
	    "what a Route Server learned (az network routeserver peering)" },
	{ "routes advertised", "RS PEER", 2, 2, 0, ctl_routes_advertised,
	    "what it advertises to a peer" },
	{ "gateway learned", "GW [PEER]", 1, 2, 0, ctl_gateway_learned,
	    "what a gateway learned (az network vnet-gateway)" },
	{ "gateway advertised", "GW PEER", 2, 2, 0, ctl_gateway_advertised,
	    "what it advertises to a peer" },
	{ "gateway peers", "GW", 1, 1, 0, ctl_gateway_peers, "its BGP peers" },
	{ "circuit routes", "CIRCUIT primary|secondary", 2, 2, 0, ctl_circuit_routes,
	    "table of an MSEE (az network express-route list-route-tables)" },
	{ "router routes", "NAME", 1, 1, 0, ctl_router_routes, "what an NVA or site knows" },
	{ "nexthop", "NIC ADDRESS", 2, 2, 0, ctl_nexthop,
	    "next hop of one packet (az network watcher show-next-hop)" },
	{ "explain", "NIC PREFIX|ADDRESS", 2, 2, 0, ctl_explain,
	    "every candidate route, and what beat it" },
	{ "trace", "SRC DST [--both]", 2, 2, CTL_BIT(CTL_OPT_BOTH), ctl_trace,
	    "a packet's way, hop by hop, and its verdict" },
	{ "nics", "[NIC]", 0, 1, 0, ctl_nics, "who is plugged in, packets and drops of each NIC" },
	{ "backends", "[LB]", 0, 1, 0, ctl_backends,
	    "which backends load balancers send to, and what their probes found" },
	{ "metrics", "", 0, 0, 0, ctl_metrics,
	    "all of that, and the processes, as Prometheus reads it" },
	{ "exec", "GUEST COMMAND...", 1, 1 + CTL_REST, 0, ctl_exec,
	    "run a command in the network namespace of a VM or NVA" },
	{ "probe", "SRC DST [--tcp] [--max-lost N] ...", 2, 2,
	    CTL_BIT(CTL_OPT_PPS) | CTL_BIT(CTL_OPT_DURATION) | CTL_BIT(CTL_OPT_TCP) |
		CTL_BIT(CTL_OPT_MAX_LOST),
	    ctl_probe, "send packets from guest to guest and tell what became of them" },
	{ "capture", "NIC [-w FILE] [--count N]", 1, 1,
	    CTL_BIT(CTL_OPT_WRITE) | CTL_BIT(CTL_OPT_COUNT_N), ctl_capture,
	    "show what a NIC sends and gets, with the reason of each drop" },
	{ "wait", "converged|'EXPR' [--timeout TIME]", 1, 1, CTL_BIT(CTL_OPT_TIMEOUT), ctl_wait,
	    "block until it holds" },
	{ "test", "FILE|DIR... [--junit FILE] [--tap] [--keep]", 1, CTL_POS_MAX,
	    CTL_BIT(CTL_OPT_JUNIT) | CTL_BIT(CTL_OPT_TAP) | CTL_BIT(CTL_OPT_KEEP) |
		CTL_BIT(CTL_OPT_JOBS) | CTL_BIT(CTL_OPT_SEED) | CTL_BIT(CTL_OPT_TIMING) |
		CTL_BIT(CTL_OPT_RUNNING),
	    ctl_test, "run scenarios, each in a fabric of its own" },
	{ "chaos", "FILE [--faults LIST] [--pairs] [--html FILE] ...", 1, 1,
	    CTL_BIT(CTL_OPT_FAULTS) | CTL_BIT(CTL_OPT_PAIRS) | CTL_BIT(CTL_OPT_JUNIT) |
		CTL_BIT(CTL_OPT_HTML) | CTL_BIT(CTL_OPT_SEED) | CTL_BIT(CTL_OPT_REPLAY) |
		CTL_BIT(CTL_OPT_ONLY) | CTL_BIT(CTL_OPT_LIMIT) | CTL_BIT(CTL_OPT_BOUND) |
		CTL_BIT(CTL_OPT_JOBS) | CTL_BIT(CTL_OPT_PACKETS),
	    ctl_chaos, "break everything, one by one, and judge how the design stands it" },
	{ "compose", "FILE [-o DIR]", 1, 1,
	    CTL_BIT(CTL_OPT_DIR) | CTL_BIT(CTL_OPT_IMAGE) | CTL_BIT(CTL_OPT_BUILD) |
		CTL_BIT(CTL_OPT_TEST) | CTL_BIT(CTL_OPT_PACKETS) | CTL_BIT(CTL_OPT_ENGINE) |
		CTL_BIT(CTL_OPT_TIMING),
	    ctl_compose, "write a topology as a compose file, a service for each process" },
	{ "events", "[-f]", 0, 0, CTL_BIT(CTL_OPT_FOLLOW), ctl_events, "the log" },
	{ "timeline", "[N]", 0, 1, 0, ctl_timeline,
	    "the last change (2: the one before ...) stage by stage" },
	{ "health", "", 0, 0, 0, ctl_health, "of the daemon behind --url" },
	{ "help", "[VERB]", 0, 2, 0, ctl_help, "this text, or that of one verb" },
	{ NULL },
};

int
ctl_help(struct ctl *c, const struct ctl_args *args)
{
	struct ctl_args rest = *args;
	const struct ctl_cmd *cmd;

	(void)c;
	if (args->n_pos == 0) {
		ctl_usage(stdout, ctl_commands);
		return CTL_OK;
	}
	if ((cmd = ctl_args_verb(ctl_commands, &rest)) == NULL)
		return ctl_fail(CTL_USAGE, "USAGE", "unknown verb '%s'; 'fabctl help' lists them",
		    args->pos[0]);
	ctl_usage_verb(stdout, cmd);
	return CTL_OK;
}

int
ctl_main(int argc, char **argv)
{
	const struct ctl_cmd *cmd;
	struct ctl_args args;
	struct ctl c;
	char why[256];
	int status;

	signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error of write(2) */
	if (ctl_args_parse(&cmd, &args, ctl_commands, argc, argv, why) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE", "%s", why);
	if (args.opt[CTL_OPT_VERSION] != NULL) {
		printf("fabctl " FAB_VERSION "\n");
		return CTL_OK;
	}
	if (cmd == NULL || args.opt[CTL_OPT_HELP] != NULL) {
		if (cmd != NULL)
			ctl_usage_verb(stdout, cmd);
		else
			ctl_usage(args.opt[CTL_OPT_HELP] != NULL ? stdout : stderr, ctl_commands);
		return args.opt[CTL_OPT_HELP] != NULL ? CTL_OK : CTL_USAGE;
	}
	if ((status = ctl_init(&c, &args)) == CTL_OK)
		status = cmd->run(&c, &args);
	ctl_fini(&c);
	return status;
}
