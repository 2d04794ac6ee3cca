#include "fabctl/ch_fabric.h"

#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_run.h"
#include "fabctl/sc_call.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UP_WAIT      "60s"
#define KNOWN_MS     5000
#define AWAY_MS      20000 /* for a fabricd that is away */
#define LOOK_MS      20
#define SLICE_MS     1000
#define SLACK_MS     5000 /* for the answer to a wait that ran to its end */
#define CHANGES_BACK 16   /* that one fault may make in the timeline */

static bool fail(struct ch_fabric *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool
fail(struct ch_fabric *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- asking ---- */

void
ch_fabric_pass(struct ch_fabric *f, uint32_t ms)
{
	struct fab_mono since = fab_mono_now();
	uint64_t gone_ms;

	while ((gone_ms = fab_mono_us_between(since, fab_mono_now()) / 1000) < ms)
		fab_loop_turn(f->c.loop, ms - (uint32_t)gone_ms);
}

/* The reply is the caller's; NULL: why. A fabricd that was away is another one, and so is the
 * connection to it: asks again until it is there. */
static ProtobufCMessage *
ask(struct ch_fabric *f, const char *method, const ProtobufCMessage *req, uint32_t timeout_ms)
{
	struct fab_mono since = fab_mono_now();
	ProtobufCMessage *reply;
	enum fab_rpc_status rpc;
	char why[256];

	while ((rpc = ctl_ask(&f->c, &fab__v1__fabric__descriptor, method, req, timeout_ms,
		    CTL_CONNECT_MS, &reply, why)) == FAB_RPC_UNAVAILABLE &&
	       !sc_interrupted && fab_mono_us_between(since, fab_mono_now()) < AWAY_MS * 1000)
		ch_fabric_pass(f, LOOK_MS);
	if (rpc == FAB_RPC_OK)
		return reply;
	f->timed_out = rpc == FAB_RPC_DEADLINE_EXCEEDED;
	fail(f, "%s", why[0] != '\0' ? why : fab_rpc_status_name(rpc));
	return NULL;
}

/* In slices: whoever interrupts us does not wait for the end. */
bool
ch_fabric_wait(struct ch_fabric *f, const char *condition, uint32_t timeout_ms)
{
	Fab__V1__WaitRequest req = FAB__V1__WAIT_REQUEST__INIT;
	struct fab_mono since = fab_mono_now();
	ProtobufCMessage *reply;

	req.expression = (char *)(uintptr_t)condition;
	req.timeout_ms = SLICE_MS;
	do {
		reply = ask(f, "Wait", &req.base, SLICE_MS + SLACK_MS);
	} while (reply == NULL && f->timed_out && !sc_interrupted &&
		 fab_mono_us_between(since, fab_mono_now()) / 1000 < timeout_ms);
	ctl_reply_free(reply);
	return reply != NULL;
}

static bool
has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid != 0;
}

/* The loop goes on meanwhile: fabricd wants to hear from us. */
bool
ch_fabric_do(struct ch_fabric *f, const char *const *words)
{
	struct sc_call c;
	bool ok;

	if (sc_call_begin(&c, "/", f->c.url, false, words) == FAB_OK) {
		while (!has_ended(c.pid) && !sc_interrupted)
			ch_fabric_pass(f, 5);
		sc_call_end(&c);
	} else {
		c.status = 127;
	}
	ok = c.status == 0;
	if (!ok)
		fail(f, "%s %s: exit %d: %s", words[0], words[1] != NULL ? words[1] : "", c.status,
		    sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

/* ---- following ---- */

static void
take_pair(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__ReachPair *p = CTL_REPLY(Fab__V1__ReachPair, item);
	struct ch_fabric *f = ctx;
	struct ch_look look;
	int src, dst;

	if (info->snapshot_begin)
		f->known = false;
	f->known |= info->snapshot_end;
	if (p == NULL || (src = ch_watch_end(f->watch, p->src)) < 0 ||
	    (dst = ch_watch_end(f->watch, p->dst)) < 0)
		return;
	look = (struct ch_look){ .verdict = ch_verdict_parse(p->verdict),
		.symmetric = p->symmetric,
		.stateful_break = p->stateful_break };
	snprintf(look.rule, sizeof(look.rule), "%s", p->rule);
	snprintf(look.reason, sizeof(look.reason), "%s", p->reason);
	snprintf(look.way, sizeof(look.way), "%s", p->way);
	ch_watch_take(f->watch, src, dst, &look, p->at_us);
}

/* fabricd stops at the number of endpoints that it can follow. */
static bool
follow(struct ch_fabric *f)
{
	static const struct fab_rpc_sub_ops ops = { .item = take_pair };
	Fab__V1__ReachRequest req = FAB__V1__REACH_REQUEST__INIT;
	struct fab_mono since = fab_mono_now();

	if (fab_rpc_subscribe(&f->sub, f->c.client, &fab__v1__fabric__descriptor, "Reach",
		&req.base, &ops, f) != FAB_OK)
		return fail(f, "cannot open the stream of pairs");
	while (!f->known) {
		if (fab_mono_us_between(since, fab_mono_now()) > KNOWN_MS * 1000)
			return fail(f, "fabricd does not tell who reaches whom");
		fab_loop_turn(f->c.loop, 50);
	}
	return true;
}

/* ---- life ---- */

static bool
start(struct ch_fabric *f)
{
	struct sc_call c;
	bool ok = sc_call(&c, "/", NULL, false,
		      (const char *[]){ "up", f->topology, "--run-dir", f->run_dir, "--wait",
			  UP_WAIT, "--packets", f->packets, NULL }) == 0;

	if (!ok)
		fail(f, "the fabric does not come up: %s", sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

bool
ch_fabric_place(struct ch_fabric *f)
{
	snprintf(f->top, sizeof(f->top), "/tmp/fab-chaos-XXXXXX");
	if (mkdtemp(f->top) == NULL)
		return fail(f, "cannot make %s: %s", f->top, strerror(errno));
	snprintf(f->run_dir, sizeof(f->run_dir), "%s/run", f->top);
	return true;
}

bool
ch_fabric_up(struct ch_fabric *f)
{
	setenv("XDG_RUNTIME_DIR", f->top, 1); /* the user's own current fabric stays that */
	f->c = (struct ctl){ .format = CTL_JSON };
	if (ctl_path(f->c.run_dir, "%s", f->run_dir) != FAB_OK ||
	    ctl_run_url(f->c.url, f->run_dir) != FAB_OK)
		return fail(f, "the run directory's path is too long");
	FAB_ASSERT((f->watch = calloc(1, sizeof(*f->watch))) != NULL);
	if (!start(f))
		return false;
	if (ctl_connect(&f->c) != CTL_OK)
		return fail(f, "cannot reach %s", f->c.url);
	return follow(f);
}

void
ch_fabric_clear(const char *top)
{
	char run_dir[PATH_MAX];
	struct sc_call c;

	if (ctl_path(run_dir, "%s/run", top) != FAB_OK)
		return;
	if (access(run_dir, F_OK) == 0) {
		sc_call(
		    &c, "/", NULL, false, (const char *[]){ "down", "--run-dir", run_dir, NULL });
		sc_call_fini(&c);
	}
	rmdir(top);
}

void
ch_fabric_down(struct ch_fabric *f)
{
	if (f->top[0] == '\0')
		return;
	fab_rpc_sub_free(f->sub);
	ctl_fini(&f->c);
	ch_fabric_clear(f->top);
	free(f->watch);
	*f = (struct ch_fabric){ .t = f->t, .topology = f->topology, .packets = f->packets };
}

/* ---- elements ---- */

struct elements {
	struct ch_element *v;
	size_t n;
};

static void
add(struct elements *e, bool is_link, const char *a, const char *b)
{
	struct ch_element *v = realloc(e->v, (e->n + 1) * sizeof(*v));

	FAB_ASSERT(v != NULL);
	e->v = v;
	v[e->n] = (struct ch_element){ .is_link = is_link };
	snprintf(v[e->n].a, CH_NAME_MAX, "%s", a);
	snprintf(v[e->n++].b, CH_NAME_MAX, "%s", b);
}

bool
ch_fabric_elements(struct ch_fabric *f, struct ch_element **out, size_t *n)
{
	Fab__V1__LinkQuery req = FAB__V1__LINK_QUERY__INIT;
	struct elements e = { .n = 0 };
	ProtobufCMessage *reply;
	const Fab__V1__LinkList *list;

	req.every = true;
	if ((reply = ask(f, "Links", &req.base, CTL_CALL_MS)) == NULL)
		return false;
	add(&e, false, CTL_FABRICD, "");
	if (ctl_packets_are_on(f->run_dir))
		add(&e, false, CTL_VSWITCHD, "");
	for (size_t i = 0; i < f->t->n_nodes; i++)
		add(&e, false, f->t->nodes[i].name, "");
	list = CTL_REPLY(Fab__V1__LinkList, reply);
	for (size_t i = 0; i < list->n_value; i++)
		add(&e, true, list->value[i]->a, list->value[i]->b);
	ctl_reply_free(reply);
	*out = e.v;
	*n = e.n;
	return true;
}

/* ---- routes ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add_row(json_t *all, const char *nic, const Fab__V1__EffectiveRoute *r)
{
	char *key = NULL, *value = NULL;
	size_t size;
	FILE *fp = open_memstream(&value, &size);

	FAB_ASSERT(fp != NULL && r->n_address_prefix == 1);
	FAB_ASSERT(asprintf(&key, "%s %s %s", nic, r->address_prefix[0], r->source) > 0);
	if (r->n_next_hop_ip_address > 1)
		qsort(r->next_hop_ip_address, r->n_next_hop_ip_address, sizeof(char *), by_text);
	fprintf(fp, "%s %s", r->state, r->next_hop_type);
	for (size_t i = 0; i < r->n_next_hop_ip_address; i++)
		fprintf(fp, " %s", r->next_hop_ip_address[i]);
	fclose(fp);
	json_object_set_new(all, key, json_string(value));
	free(key);
	free(value);
}

json_t *
ch_fabric_routes(struct ch_fabric *f)
{
	json_t *all = json_object();

	for (size_t i = 0; i < f->t->n_nics; i++) {
		const struct topo_nic *n = &f->t->nics[i];
		Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
		const Fab__V1__EffectiveRouteList *list;
		ProtobufCMessage *reply;

		if (n->vm >= 0 && !f->t->vms[n->vm].running) /* EFF-18 */
			continue;
		req.nic = n->name;
		if ((reply = ask(f, "RoutesEffective", &req.base, CTL_CALL_MS)) == NULL) {
			json_decref(all);
			return NULL;
		}
		list = CTL_REPLY(Fab__V1__EffectiveRouteList, reply);
		for (size_t k = 0; k < list->n_value; k++)
			add_row(all, n->name, list->value[k]);
		ctl_reply_free(reply);
	}
	return all;
}

bool
ch_fabric_stale(struct ch_fabric *f, struct ch_stale **out, size_t *n)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	ProtobufCMessage *reply = ask(f, "Stale", &req.base, CTL_CALL_MS);
	const Fab__V1__StaleList *list;
	struct ch_stale *v;

	if (reply == NULL)
		return false;
	list = CTL_REPLY(Fab__V1__StaleList, reply);
	FAB_ASSERT((v = calloc(list->n_value + 1, sizeof(*v))) != NULL);
	for (size_t i = 0; i < list->n_value; i++) {
		const Fab__V1__StaleRoute *s = list->value[i];

		snprintf(v[i].nic, sizeof(v[i].nic), "%s", s->nic);
		snprintf(v[i].prefix, sizeof(v[i].prefix), "%s", s->prefix);
		snprintf(v[i].source, sizeof(v[i].source), "%s", s->source);
		snprintf(v[i].next_hop, sizeof(v[i].next_hop), "%s", s->next_hop);
		snprintf(v[i].node, sizeof(v[i].node), "%s", s->node);
	}
	*n = list->n_value;
	*out = v;
	ctl_reply_free(reply);
	return true;
}

/* ---- times ---- */

struct times {
	uint64_t since_us, fault_us, detect_us, fabricd_us, last_us; /* 0: not seen */
};

static void
earliest(uint64_t *t, uint64_t at_us)
{
	if (*t == 0 || at_us < *t)
		*t = at_us;
}

static void
take_stage(struct times *t, const Fab__V1__TimelineStage *s)
{
	if (s->at_us < t->since_us)
		return;
	if (strcmp(s->stage, "fault") == 0)
		earliest(&t->fault_us, s->at_us);
	else if (strcmp(s->stage, "detect") == 0)
		earliest(
		    strcmp(s->node, CTL_FABRICD) == 0 ? &t->fabricd_us : &t->detect_us, s->at_us);
	else if (strcmp(s->stage, "config") != 0 && strcmp(s->stage, "probe") != 0 &&
		 s->at_us > t->last_us)
		t->last_us = s->at_us;
}

/* Changes since then, the newest first; a hung process makes two, the second when fabricd misses
 * it. */
void
ch_fabric_times(struct ch_fabric *f, uint64_t since_us, int64_t *detect_us, int64_t *converge_us)
{
	struct times t = { .since_us = since_us };

	for (uint32_t back = 1; back <= CHANGES_BACK; back++) {
		Fab__V1__TimelineRequest req = FAB__V1__TIMELINE_REQUEST__INIT;
		const Fab__V1__TimelineReply *r;
		ProtobufCMessage *reply;
		bool older;

		req.back = back;
		if ((reply = ask(f, "Timeline", &req.base, CTL_CALL_MS)) == NULL)
			break;
		r = CTL_REPLY(Fab__V1__TimelineReply, reply);
		older = r->start_us + r->total_us < since_us;
		for (size_t i = 0; i < r->n_stages; i++)
			take_stage(&t, r->stages[i]);
		ctl_reply_free(reply);
		if (older)
			break;
	}
	if (t.detect_us == 0)
		t.detect_us = t.fabricd_us;
	*detect_us =
	    t.fault_us != 0 && t.detect_us >= t.fault_us ? (int64_t)(t.detect_us - t.fault_us) : -1;
	*converge_us =
	    t.fault_us != 0 && t.last_us >= t.fault_us ? (int64_t)(t.last_us - t.fault_us) : -1;
}
