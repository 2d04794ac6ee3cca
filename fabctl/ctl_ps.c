#include "fabctl/ctl_ps.h"

#include "fabctl/ctl.h"
#include "fabctl/ctl_wire.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

/* One row from both sides; one of them may be NULL. */
static json_t *
ps_row(const struct ctl_state *s, const Fab__V1__NodeInfo *i, uint64_t now_us)
{
	static const char *const words[] = {
		[CTL_PROC_DEAD] = "dead",
		[CTL_PROC_RUNNING] = "running",
		[CTL_PROC_PAUSED] = "paused",
	};
	enum ctl_proc_state ps = s != NULL ? ctl_proc_state(s->proc) : CTL_PROC_RUNNING;
	uint64_t started = s != NULL ? s->started_us : i->started_us;
	json_t *endpoints = json_array(), *row;

	for (size_t k = 0; i != NULL && k < i->n_endpoints; k++)
		json_array_append_new(endpoints, json_string(i->endpoints[k]));
	if (ps == CTL_PROC_DEAD || started == 0 || started > now_us)
		started = now_us;
	row = json_pack("{s:s, s:s, s:i, s:s, s:I, s:o, s:{s:i, s:i}}", "name",
	    s != NULL ? s->name : i->name, "kind", s != NULL ? s->kind : i->kind, "pid",
	    s != NULL ? (int)s->proc.pid : (int)i->pid, "state", s != NULL ? words[ps] : i->state,
	    "uptime_s", (json_int_t)((now_us - started) / 1000000), "endpoints", endpoints,
	    "sessions", "up", i != NULL && ps != CTL_PROC_DEAD ? (int)i->sessions_up : 0,
	    "configured", i != NULL ? (int)i->sessions : 0);
	FAB_ASSERT(row != NULL);
	if (i != NULL && i->n_counters > 0)
		json_object_set_new(row, "counters", ctl_wire_counters(i->counters, i->n_counters));
	if (i != NULL && i->engine[0] != '\0' && ps != CTL_PROC_DEAD)
		json_object_set_new(row, "engine", json_string(i->engine));
	return row;
}

static const Fab__V1__NodeInfo *
find_info(const Fab__V1__NodeList *nodes, const char *name)
{
	for (size_t i = 0; nodes != NULL && i < nodes->n_nodes; i++) {
		if (strcmp(nodes->nodes[i]->name, name) == 0)
			return nodes->nodes[i];
	}
	return NULL;
}

static bool
has_state(const struct ctl_state *states, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(states[i].name, name) == 0)
			return true;
	}
	return false;
}

static int
row_cmp(const void *a, const void *b)
{
	const char *x = ctl_str(*(json_t *const *)a, "name");
	const char *y = ctl_str(*(json_t *const *)b, "name");
	bool fx = strcmp(x, CTL_FABRICD) == 0, fy = strcmp(y, CTL_FABRICD) == 0;

	return fx != fy ? (fx ? -1 : 1) : strcmp(x, y);
}

json_t *
ctl_ps_join(
    const struct ctl_state *states, size_t n, const Fab__V1__NodeList *nodes, uint64_t now_us)
{
	size_t n_nodes = nodes != NULL ? nodes->n_nodes : 0, n_rows = 0;
	json_t **rows = calloc(n + n_nodes + 1, sizeof(json_t *)), *list = json_array();

	FAB_ASSERT(rows != NULL && list != NULL);
	for (size_t i = 0; i < n; i++)
		rows[n_rows++] = ps_row(&states[i], find_info(nodes, states[i].name), now_us);
	for (size_t i = 0; i < n_nodes; i++) {
		if (!has_state(states, n, nodes->nodes[i]->name))
			rows[n_rows++] = ps_row(NULL, nodes->nodes[i], now_us);
	}
	qsort(rows, n_rows, sizeof(rows[0]), row_cmp);
	for (size_t i = 0; i < n_rows; i++)
		json_array_append_new(list, rows[i]);
	free(rows);
	return list;
}

/* The endpoints that do not follow from the run directory and the name. */
static json_t *
open_sockets(const json_t *endpoints)
{
	json_t *list = json_array();
	const json_t *url;
	size_t i;

	json_array_foreach(endpoints, i, url)
	{
		if (strncmp(json_string_value(url), "ipc://", 6) != 0)
			json_array_append_new(list, json_copy((json_t *)(uintptr_t)url));
	}
	return list;
}

/* Below the table: what each vswitchd counted. */
static void
packets_text(FILE *fp, const json_t *row)
{
	const json_t *counters = json_object_get(row, "counters"), *value;
	static const char *const sums[] = { "attached", "rx_packets", "rx_octets", "tx_packets",
		"tx_octets" };
	const char *name, *comma = "; dropped: ";

	if (counters == NULL)
		return;
	fprintf(fp, "\n%s: %lld NICs plugged in, %lld packets from guests, %lld to guests",
	    ctl_str(row, "name"), json_integer_value(json_object_get(counters, "attached")),
	    json_integer_value(json_object_get(counters, "rx_packets")),
	    json_integer_value(json_object_get(counters, "tx_packets")));
	json_object_foreach((json_t *)(uintptr_t)counters, name, value)
	{
		size_t i = 0;

		while (i < sizeof(sums) / sizeof(sums[0]) && strcmp(sums[i], name) != 0)
			i++;
		if (i < sizeof(sums) / sizeof(sums[0]))
			continue;
		fprintf(fp, "%s%s %lld", comma, name, json_integer_value(value));
		comma = ", ";
	}
	fprintf(fp, "\n");
}

void
ctl_ps_table(FILE *fp, const json_t *value)
{
	static const struct ctl_column columns[] = {
		{ "Name", "name" },
		{ "Kind", "kind" },
		{ "PID", "pid" },
		{ "State", "state" },
		{ "Uptime s", "uptime_s" },
		{ "Sessions", "text" },
		{ "Endpoints", "sockets" },
		CTL_COLUMNS_END,
	};
	json_t *rows = json_deep_copy(value), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const json_t *s = json_object_get(row, "sessions");
		const json_t *engine = json_object_get(row, "engine");

		json_object_set_new(
		    row, "sockets", open_sockets(json_object_get(row, "endpoints")));
		if (engine != NULL)
			json_object_set_new(row, "kind",
			    json_sprintf(
				"%s (%s)", ctl_str(row, "kind"), json_string_value(engine)));
		json_object_set_new(row, "text",
		    json_sprintf("%d/%d", (int)json_integer_value(json_object_get(s, "up")),
			(int)json_integer_value(json_object_get(s, "configured"))));
	}
	ctl_table(fp, rows, columns);
	json_decref(rows);
}

static void
ps_text(FILE *fp, const json_t *value)
{
	const json_t *row;
	size_t i;

	ctl_ps_table(fp, value);
	json_array_foreach((json_t *)(uintptr_t)value, i, row)
	{
		packets_text(fp, row);
	}
}

const struct ctl_view ctl_ps_view = { .text = ps_text };

/* Works while fabricd is dead or paused: then with what the run directory knows. */
int
ctl_ps(struct ctl *c, const struct ctl_args *args)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	enum fab_rpc_status rpc = FAB_RPC_UNAVAILABLE;
	ProtobufCMessage *reply = NULL;
	struct ctl_state *states = NULL;
	char why[256];
	json_t *value;
	size_t n = 0;
	int status;

	(void)args;
	if (c->run_dir[0] != '\0')
		ctl_state_list(&states, &n, c->run_dir);
	if (n == 0 || ctl_fabricd_runs(c)) {
		if ((status = ctl_connect(c)) != CTL_OK)
			goto done;
		rpc = ctl_ask(c, &fab__v1__fabric__descriptor, "Ps", &req.base, CTL_CONNECT_MS,
		    CTL_CONNECT_MS, &reply, why);
		if (rpc != FAB_RPC_OK && n == 0) {
			status = ctl_fail_rpc(rpc, why);
			goto done;
		}
	}
	value = ctl_ps_join(states, n,
	    rpc == FAB_RPC_OK ? CTL_REPLY(Fab__V1__NodeList, reply) : NULL, fab_wall_us());
	status = ctl_answer(c, value, &ctl_ps_view);
	if (rpc == FAB_RPC_OK)
		ctl_reply_free(reply);
done:
	ctl_state_list_free(states, n);
	return status;
}
