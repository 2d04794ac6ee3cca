#include "fabctl/ch_probe.h"

#include "fabctl/ctl_packets.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FLOW_MS      3000 /* until packets flow */
#define FLOW_PACKETS 20
#define LOOK_MS      50

/* ---- which ---- */

static bool
is_guest(const struct topo *t, const char *name)
{
	int nic = topo_find_nic(t, name);

	for (size_t i = 0; i < t->n_sites; i++)
		if (strcmp(t->sites[i].name, name) == 0)
			return true;
	return nic >= 0 && t->nics[nic].vm >= 0;
}

/* "vm11 > nva1 > vm12" has nva1. */
static bool
leads_by(const char *way, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = way; len > 0 && (p = strstr(p, name)) != NULL; p += len)
		if ((p == way || p[-1] == ' ') && (p[len] == '\0' || p[len] == ' '))
			return true;
	return false;
}

static bool
concerns(const char *way, const struct ch_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (leads_by(way, steps[i].a) || leads_by(way, steps[i].b))
			return true;
	return false;
}

size_t
ch_probe_choose(int pairs[static CH_PROBES_MAX][2], const struct topo *t,
    const struct ch_watch *rest, const struct ch_step *steps, size_t n_steps)
{
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < rest->n; i++)
			for (size_t k = i + 1; k < rest->n && n < CH_PROBES_MAX; k++) {
				const struct ch_look *look = &rest->now[i][k];

				if (look->verdict != CH_DELIVERED || !is_guest(t, rest->names[i]) ||
				    !is_guest(t, rest->names[k]) ||
				    ch_is_broken(steps, n_steps, rest->names[i]) ||
				    ch_is_broken(steps, n_steps, rest->names[k]) ||
				    concerns(look->way, steps, n_steps) != (pass == 0))
					continue;
				pairs[n][0] = (int)i;
				pairs[n++][1] = (int)k;
			}
	return n;
}

/* ---- running ---- */

static uint64_t
sent_by(struct ch_fabric *f, const char *name)
{
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	ProtobufCMessage *reply;
	uint64_t packets = 0;
	char why[256];

	req.nic = (char *)(uintptr_t)name;
	if (ctl_ask(&f->c, &fab__v1__fabric__descriptor, "Nics", &req.base, CTL_CALL_MS,
		CTL_CONNECT_MS, &reply, why) != FAB_RPC_OK)
		return 0;
	for (size_t i = 0; i < CTL_REPLY(Fab__V1__NicList, reply)->n_value; i++)
		packets += CTL_REPLY(Fab__V1__NicList, reply)->value[i]->rx_packets;
	ctl_reply_free(reply);
	return packets;
}

void
ch_probes_begin(struct ch_probes *p, struct ch_fabric *f, const struct ch_watch *rest,
    const struct ch_step *steps, size_t n_steps)
{
	struct fab_mono since = fab_mono_now();
	int pairs[CH_PROBES_MAX][2];
	uint64_t before = 0;
	size_t n;

	*p = (struct ch_probes){ .n = 0 };
	if (!ctl_packets_are_on(f->run_dir))
		return;
	n = ch_probe_choose(pairs, f->t, rest, steps, n_steps);
	if (n > 0)
		before = sent_by(f, rest->names[pairs[n - 1][0]]);
	for (size_t i = 0; i < n; i++) {
		struct ch_probe *v = &p->v[p->n];

		*v = (struct ch_probe){ rest->names[pairs[i][0]], rest->names[pairs[i][1]],
			.call = { .out = -1, .err = -1 } };
		p->n += sc_call_begin(&v->call, "/", f->c.url, true,
			    (const char *[]){
				"probe", v->src, v->dst, "--duration", "1h", NULL }) == FAB_OK;
	}
	while (p->n > 0 && sent_by(f, p->v[p->n - 1].src) < before + FLOW_PACKETS &&
	       fab_mono_us_between(since, fab_mono_now()) < FLOW_MS * 1000)
		ch_fabric_pass(f, LOOK_MS);
}

json_t *
ch_probes_end(struct ch_probes *p, uint64_t *worst_us, char worst[static 128])
{
	json_t *list = p->n > 0 ? json_array() : NULL;

	*worst_us = 0;
	worst[0] = '\0';
	for (size_t i = 0; i < p->n; i++)
		kill(p->v[i].call.pid, SIGINT);
	for (size_t i = 0; i < p->n; i++) {
		struct ch_probe *v = &p->v[i];
		json_t *told, *row;
		double outage;

		sc_call_end(&v->call);
		told = json_loads(sc_call_out(&v->call), 0, NULL);
		outage = json_number_value(json_object_get(told, "outage_ms"));
		row =
		    json_pack("{s:s, s:s, s:f}", "src", v->src, "dst", v->dst, "outage_ms", outage);
		for (int k = 0; told != NULL && k < 2; k++) {
			const char *key = k == 0 ? "sent" : "lost";

			json_object_set(row, key, json_object_get(told, key));
		}
		json_array_append_new(list, row);
		if (outage * 1000 > (double)*worst_us) {
			*worst_us = (uint64_t)(outage * 1000);
			snprintf(worst, 128, "%.60s to %.60s", v->src, v->dst);
		}
		json_decref(told);
		sc_call_fini(&v->call);
	}
	p->n = 0;
	return list;
}
