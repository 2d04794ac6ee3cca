/* The verb that measures: numbered packets from one guest to another, and what became of them. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_link.h"
#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_probe_run.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/ipnet.h"
#include "proto/fabric.pb-c.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PPS_DEFAULT      1000
#define DURATION_DEFAULT 5000

struct probe {
	struct ctl *c;
	const char *src, *dst;
	struct ctl_probe_conf conf;
	uint32_t duration_ms;
	long max_lost; /* -1: none given */
	struct ctl_probe *run;
	json_t *before, *after, *links;
	uint32_t dst_ip;
};

static volatile sig_atomic_t stop;

static void
on_interrupt(int sig)
{
	(void)sig;
	stop = 1;
}

/* ---- command line ---- */

static int
number(long *out, const char *text, long min, long max)
{
	char *end;
	long v;

	if (text[0] < '0' || text[0] > '9')
		return FAB_EINVAL;
	v = strtol(text, &end, 10);
	if (*end != '\0' || v < min || v > max)
		return FAB_EINVAL;
	*out = v;
	return FAB_OK;
}

static int
probe_options(struct probe *p, const struct ctl_args *args)
{
	const char *text;
	long pps = PPS_DEFAULT;

	if ((text = args->opt[CTL_OPT_PPS]) != NULL &&
	    number(&pps, text, 1, CTL_PROBE_PPS_MAX) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not a number of packets from 1 to %u",
		    text, CTL_PROBE_PPS_MAX);
	p->duration_ms = DURATION_DEFAULT;
	if ((text = args->opt[CTL_OPT_DURATION]) != NULL &&
	    (ctl_duration_ms(&p->duration_ms, text) != FAB_OK || p->duration_ms == 0))
		return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not a time such as 5s", text);
	p->max_lost = -1;
	if ((text = args->opt[CTL_OPT_MAX_LOST]) != NULL &&
	    number(&p->max_lost, text, 0, CTL_PROBE_PACKETS_MAX) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not a number of packets", text);
	p->conf.tcp = args->opt[CTL_OPT_TCP] != NULL;
	p->conf.pps = (uint32_t)pps;
	p->conf.packets = (size_t)((uint64_t)pps * p->duration_ms / 1000);
	if (p->conf.packets == 0)
		p->conf.packets = 1;
	if (p->conf.packets > CTL_PROBE_PACKETS_MAX)
		return ctl_fail(CTL_USAGE, "USAGE",
		    "that would be more than %u packets; choose less of --pps or --duration",
		    CTL_PROBE_PACKETS_MAX);
	return CTL_OK;
}

/* ---- what fabricd knows ---- */

/* Names of the nodes on the modelled path, and last why the packet does not arrive, if so. */
static json_t *
path_json(const Fab__V1__TraceReply *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_hops; i++)
		json_array_append_new(list, json_string(r->hops[i]->node));
	if (strcmp(r->verdict, "delivered") != 0)
		json_array_append_new(list, json_string(r->verdict));
	return list;
}

static void
add_links(json_t *list, Fab__V1__TraceHop *const *hops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < hops[i]->n_links; k++)
			json_array_append_new(list, ctl_link_json(hops[i]->links[k]));
}

/* Those that are cut, slow or lossy, there and back. */
static json_t *
links_json(const Fab__V1__TraceReply *r)
{
	json_t *list = json_array();

	add_links(list, r->hops, r->n_hops);
	add_links(list, r->back_hops, r->n_back_hops);
	return list;
}

/* And by which address src knows dst. */
static int
path_before(struct probe *p)
{
	Fab__V1__TraceRequest req = FAB__V1__TRACE_REQUEST__INIT;
	const Fab__V1__TraceReply *r;
	ProtobufCMessage *reply;
	int status;

	req.src = (char *)(uintptr_t)p->src;
	req.dst = (char *)(uintptr_t)p->dst;
	req.both = true;
	if ((status = ctl_call(p->c, "Trace", &req.base, &reply)) != CTL_OK)
		return status;
	r = CTL_REPLY(Fab__V1__TraceReply, reply);
	p->before = path_json(r);
	p->links = links_json(r);
	status = ipaddr_parse(&p->dst_ip, r->dst_address) == FAB_OK
		     ? CTL_OK
		     : ctl_fail(CTL_REFUSED, "NOT_FOUND", "%s has no address to send to", p->dst);
	ctl_reply_free(reply);
	return status;
}

/* fabricd may have died during the probe: what was measured counts all the same. A connection that
 * it closed meanwhile is noticed by the first call; the second one waits for a new connection. */
static void
path_after(struct probe *p)
{
	Fab__V1__TraceRequest req = FAB__V1__TRACE_REQUEST__INIT;
	enum fab_rpc_status rpc = FAB_RPC_UNAVAILABLE;
	ProtobufCMessage *reply;
	char why[256];

	req.src = (char *)(uintptr_t)p->src;
	req.dst = (char *)(uintptr_t)p->dst;
	for (int i = 0; i < 2 && rpc == FAB_RPC_UNAVAILABLE; i++)
		rpc = ctl_ask(p->c, &fab__v1__fabric__descriptor, "Trace", &req.base,
		    CTL_CONNECT_MS, CTL_CONNECT_MS, &reply, why);
	p->after =
	    rpc == FAB_RPC_OK ? path_json(CTL_REPLY(Fab__V1__TraceReply, reply)) : json_null();
	if (rpc == FAB_RPC_OK)
		ctl_reply_free(reply);
	else
		fprintf(stderr, "fabctl: fabricd does not say what the path is now: %s\n", why);
}

/* Beside the stages of the control plane, fabricd shows what its change meant for packets. Best
 * effort: the answer is the user's in any case. */
static void
probe_note(struct probe *p, const struct ctl_probe_stat *s)
{
	Fab__V1__ProbeNote req = FAB__V1__PROBE_NOTE__INIT;
	uint64_t end_ns = s->lost > 0 ? s->outage_end_ns : s->gap_end_ns;
	ProtobufCMessage *reply;
	char why[256];

	if (s->sent == 0)
		return;
	req.src = (char *)(uintptr_t)p->src;
	req.dst = (char *)(uintptr_t)p->dst;
	req.sent = s->sent;
	req.lost = s->lost;
	req.gap_us = (s->lost > 0 ? s->outage_ns : s->longest_gap_ns) / 1000;
	req.gap_end_us = fab_wall_us() - (fab_mono_now().ns - end_ns) / 1000;
	if (ctl_ask(p->c, &fab__v1__fabric__descriptor, "NoteProbe", &req.base, CTL_CONNECT_MS,
		CTL_CONNECT_MS, &reply, why) == FAB_RPC_OK)
		ctl_reply_free(reply);
}

/* ---- answer ---- */

static void
path_text(FILE *fp, const char *title, const json_t *path)
{
	const json_t *hop;
	size_t i;

	fprintf(fp, "%s%s", title, json_is_null(path) ? "not known" : "");
	json_array_foreach(path, i, hop)
	{
		fprintf(fp, "%s%s", i > 0 ? " > " : "", json_string_value(hop));
	}
	fputc('\n', fp);
}

static void
probe_text(FILE *fp, const json_t *v)
{
	static const struct ctl_column columns[] = {
		{ "Sent", "sent" },
		{ "Received", "received" },
		{ "Lost", "lost" },
		{ "Duplicated", "duplicated" },
		{ "Reordered", "reordered" },
		{ "Longest Gap ms", "longest_gap_ms" },
		{ "Outage ms", "outage_ms" },
		{ "RTT Median us", "rtt_us.median" },
		{ "RTT p99 us", "rtt_us.p99" },
		CTL_COLUMNS_END,
	};
	const json_t *before = json_object_get(v, "path_before");
	const json_t *after = json_object_get(v, "path_after");
	json_t *rows = json_pack("[O]", v);
	char text[CTL_LINK_TEXT_MAX];
	const json_t *link;
	size_t i;

	FAB_ASSERT(rows != NULL);
	ctl_table(fp, rows, columns);
	json_decref(rows);
	fputc('\n', fp);
	if (json_equal(before, after)) {
		path_text(fp, "path: ", before);
	} else {
		path_text(fp, "path before: ", before);
		path_text(fp, "path after:  ", after);
	}
	json_array_foreach(json_object_get(v, "links"), i, link)
	{
		ctl_link_text(text, link);
		fprintf(fp, "link: %s\n", text);
	}
}

/* With two decimals. */
static double
ms(uint64_t ns)
{
	return (double)(ns / 10000) / 100;
}

/* Microseconds, or null when nothing came back. */
static json_t *
rtt(const struct ctl_probe_stat *s, uint64_t ns)
{
	return s->answered > 0 ? json_integer((json_int_t)(ns / 1000)) : json_null();
}

static int
probe_answer(struct probe *p, const struct ctl_probe_stat *s)
{
	static const struct ctl_view view = { .text = probe_text };
	json_t *v = json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:{s:o, s:o}, s:O, s:O, s:O}",
	    "sent", (json_int_t)s->sent, "received", (json_int_t)s->received, "lost",
	    (json_int_t)s->lost, "duplicated", (json_int_t)s->duplicated, "reordered",
	    (json_int_t)s->reordered, "longest_gap_ms", ms(s->longest_gap_ns), "outage_ms",
	    ms(s->outage_ns), "rtt_us", "median", rtt(s, s->rtt_median_ns), "p99",
	    rtt(s, s->rtt_p99_ns), "path_before", p->before, "path_after", p->after, "links",
	    p->links);
	int status = ctl_answer(p->c, v, &view);

	if (status != CTL_OK)
		return status;
	if (s->received == 0)
		return CTL_NO;
	return p->max_lost >= 0 && s->lost > (size_t)p->max_lost ? CTL_NO : CTL_OK;
}

/* ---- the verb ---- */

static int
probe_start(struct probe *p)
{
	char why[CTL_PROBE_WHY_MAX];
	int status;

	p->conf.src = p->conf.dst = -1;
	if ((status = ctl_guest_open(&p->conf.src, p->c, p->src)) == CTL_OK &&
	    (status = ctl_guest_open(&p->conf.dst, p->c, p->dst)) == CTL_OK &&
	    ctl_probe_start(&p->run, &p->conf, why) != FAB_OK)
		status = ctl_fail(CTL_NO, "PROBE", "%s", why);
	if (p->conf.src >= 0)
		close(p->conf.src);
	if (p->conf.dst >= 0)
		close(p->conf.dst);
	return status;
}

static int
probe_run(struct probe *p)
{
	const struct ctl_probe_record *records;
	struct ctl_probe_stat stat;
	char why[CTL_PROBE_WHY_MAX];
	size_t n;
	int status;

	if ((status = path_before(p)) != CTL_OK)
		return status;
	ctl_progress("sending %zu packets from %s to %s, %.1f s", p->conf.packets, p->src, p->dst,
	    (double)p->duration_ms / 1000);
	ctl_probe_go(p->run, p->dst_ip);
	if (ctl_probe_end(p->run, &stop, &records, &n, why) != FAB_OK)
		return ctl_fail(CTL_NO, "PROBE", "%s", why);
	path_after(p);
	if (ctl_probe_stat(&stat, records, n) != FAB_OK)
		return ctl_fail(CTL_NO, "MEMORY", "out of memory");
	if (!json_is_null(p->after))
		probe_note(p, &stat);
	return probe_answer(p, &stat);
}

int
ctl_probe(struct ctl *c, const struct ctl_args *args)
{
	struct sigaction sa = { .sa_handler = on_interrupt };
	struct probe p = { .c = c, .src = args->pos[0], .dst = args->pos[1] };
	int status;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if ((status = probe_options(&p, args)) == CTL_OK && (status = probe_start(&p)) == CTL_OK)
		status = probe_run(&p);
	ctl_probe_free(p.run);
	json_decref(p.before);
	json_decref(p.links);
	json_decref(p.after);
	return status;
}
