/* The verbs that show NICs, and backends of load balancers, as the packet path sees them. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_power.h"
#include "fabctl/ctl_run.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/pbjson.h"
#include "proto/fabric.pb-c.h"

#include <stdint.h>
#include <string.h>

#define TURN_MS 20 /* between two questions whether guests are there */

/* "source 3, no-route 1" */
static json_t *
drops_text(const json_t *drops)
{
	json_t *text = json_string(""), *longer;
	const json_t *d;
	size_t i;

	json_array_foreach(drops, i, d)
	{
		longer = json_sprintf("%s%s%s %" JSON_INTEGER_FORMAT, json_string_value(text),
		    i > 0 ? ", " : "", ctl_str(d, "name"),
		    json_integer_value(json_object_get(d, "value")));
		json_decref(text);
		text = longer;
	}
	return text;
}

static void
nics_text(FILE *fp, const json_t *v)
{
	static const struct ctl_column columns[] = {
		{ "Name", "name" },
		{ "Kind", "kind" },
		{ "Subnet", "place" },
		{ "Address", "ipAddress" },
		{ "Attached", "attached" },
		{ "Packets Out", "rxPackets" }, /* the switch's words are the other way round */
		{ "Packets In", "txPackets" },
		{ "Dropped", "text" },
		CTL_COLUMNS_END,
	};
	json_t *rows = json_deep_copy(json_object_get(v, "value")), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_object_set_new(row, "text", drops_text(json_object_get(row, "drops")));
		json_object_set_new(row, "place",
		    json_sprintf("%s/%s", ctl_str(row, "virtualNetwork"), ctl_str(row, "subnet")));
	}
	ctl_table(fp, rows, columns);
	json_decref(rows);
}

int
ctl_nics(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = nics_text };
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	if (args->n_pos > 0)
		req.nic = (char *)(uintptr_t)args->pos[0];
	if ((status = ctl_call(c, "Nics", &req.base, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_CAMEL | PBJSON_NUMBERS, NULL);
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}

/* ---- backends ---- */

static void
backends_text(FILE *fp, const json_t *v)
{
	static const struct ctl_column columns[] = {
		{ "Load Balancer", "balancer" },
		{ "Backend", "name" },
		{ "Address", "ipAddress" },
		{ "Probe", "probe" },
		{ "Healthy", "healthy" },
		{ "Since", "since" },
		{ "Reason", "reason" },
		CTL_COLUMNS_END,
	};
	json_t *rows = json_deep_copy(json_object_get(v, "value")), *row;
	char since[32];
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_int_t at = json_integer_value(json_object_get(row, "sinceUs"));

		since[0] = '\0';
		if (at > 0)
			ctl_time_text(since, sizeof(since), (uint64_t)at);
		json_object_set_new(row, "since", json_string(since));
	}
	ctl_table(fp, rows, columns);
	json_decref(rows);
}

int
ctl_backends(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = backends_text };
	Fab__V1__BackendRequest req = FAB__V1__BACKEND_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	if (args->n_pos > 0)
		req.balancer = (char *)(uintptr_t)args->pos[0];
	if ((status = ctl_call(c, "Backends", &req.base, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_CAMEL | PBJSON_NUMBERS, NULL);
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}

/* ---- waiting for guests ---- */

static bool
runs(const char *run_dir, const char *name)
{
	struct ctl_state s;
	bool running;

	if (ctl_state_load(&s, run_dir, name) != FAB_OK)
		return false;
	running = ctl_proc_state(s.proc) == CTL_PROC_RUNNING;
	ctl_state_fini(&s);
	return running;
}

bool
ctl_guest_missing(const Fab__V1__NicList *list, const json_t *off, char out[static 64])
{
	for (size_t i = 0; i < list->n_value; i++) {
		const Fab__V1__NicInfo *n = list->value[i];

		if (n->attached || !n->running || json_object_get(off, n->name) != NULL)
			continue;
		snprintf(out, 64, "%s", n->name);
		return true;
	}
	return false;
}

static bool
ask_missing(struct ctl *c, char out[static 64])
{
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	ProtobufCMessage *reply;
	char why[256];
	json_t *off;
	bool missing;

	if (ctl_ask(c, &fab__v1__fabric__descriptor, "Nics", &req.base, CTL_CALL_MS, CTL_CONNECT_MS,
		&reply, why) != FAB_RPC_OK)
		return false; /* who waits finds out by himself */
	off = ctl_power_off(c->run_dir);
	missing = ctl_guest_missing(CTL_REPLY(Fab__V1__NicList, reply), off, out);
	json_decref(off);
	ctl_reply_free(reply);
	return missing;
}

bool
ctl_guests_attached(
    struct ctl *c, struct fab_mono since, uint32_t timeout_ms, char missing[static 64])
{
	while (c->run_dir[0] != '\0' && runs(c->run_dir, CTL_VSWITCHD) &&
	       runs(c->run_dir, CTL_GUESTS) && ask_missing(c, missing)) {
		if (fab_mono_us_between(since, fab_mono_now()) / 1000 > timeout_ms)
			return false;
		fab_loop_turn(c->loop, TURN_MS);
	}
	return true;
}
