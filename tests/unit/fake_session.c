#include "tests/unit/fake_session.h"

#include "lib/conn.h"
#include "lib/err.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 64

static struct bgp_session *sessions[SESSIONS_MAX];

/* ---- the calls of lib/bgp_session.h ---- */

static const char *
copy(const char *s)
{
	return s == NULL ? NULL : strdup(s);
}

int
bgp_session_new(struct bgp_session **out, struct fab_loop *loop,
    const struct bgp_session_conf *conf, const struct bgp_session_cb *cb, void *ctx)
{
	struct bgp_session *s = calloc(1, sizeof(*s));

	(void)loop;
	s->conf = *conf;
	s->conf.peer_name = copy(conf->peer_name);
	s->conf.local_name = copy(conf->local_name);
	s->conf.dial_url = copy(conf->dial_url);
	s->cb = cb;
	s->ctx = ctx;
	s->message_max = 4096;
	s->router_id = conf->peer_addr;
	s->can_refresh = true;
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (sessions[i] == NULL) {
			sessions[i] = s;
			*out = s;
			return FAB_OK;
		}
	abort();
}

void
bgp_session_free(struct bgp_session *s)
{
	for (size_t i = 0; s != NULL && i < SESSIONS_MAX; i++)
		if (sessions[i] == s) {
			sessions[i] = NULL;
			free((char *)(uintptr_t)s->conf.peer_name);
			free((char *)(uintptr_t)s->conf.local_name);
			free((char *)(uintptr_t)s->conf.dial_url);
			free(s);
			return;
		}
}

void
bgp_session_start(struct bgp_session *s)
{
	s->state = BGP_CONNECT;
}

void
bgp_session_stop(struct bgp_session *s, enum bgp_cease subcode, const char *text)
{
	(void)subcode;
	(void)text;
	s->state = BGP_IDLE;
}

void
bgp_session_reset(struct bgp_session *s, enum bgp_error code, uint8_t subcode, const char *reason)
{
	s->resets++;
	s->reset_code = (uint8_t)code;
	s->reset_subcode = subcode;
	snprintf(s->reset_reason, sizeof(s->reset_reason), "%s", reason);
	s->reset_pending = true;
}

static size_t
slot_of(const struct bgp_session *s, struct ipnet net)
{
	size_t i = 0;

	while (i < s->n_table && !ipnet_eq(s->table[i].net, net))
		i++;
	return i;
}

static void
take_route(struct bgp_session *s, struct ipnet net, const struct bgp_attr_spec *a)
{
	size_t i = slot_of(s, net);
	struct fake_route *r = &s->table[i];

	CU_ASSERT_FATAL(i < FAKE_TABLE_MAX);
	if (i == s->n_table)
		s->n_table++;
	*r = (struct fake_route){ .net = net,
		.next_hop = a->next_hop,
		.has_med = a->has_med,
		.has_local_pref = a->has_local_pref,
		.origin = a->origin,
		.n_communities = a->n_communities };
	r->n_path = bgp_path_flatten(a->as_path, a->as_path_octets, r->path, 8);
	for (size_t k = 0; k < a->n_communities && k < 8; k++)
		r->communities[k] = a->communities[k];
	s->announced++;
}

static void
take_update(struct bgp_session *s, const struct bgp_update *u)
{
	for (size_t i = 0; i < u->n_withdrawn; i++) {
		size_t k = slot_of(s, u->withdrawn[i]);

		if (k < s->n_table)
			s->table[k] = s->table[--s->n_table];
		else
			s->strays++;
		s->withdrawn++;
	}
	CU_ASSERT_FALSE(u->treat_as_withdraw);
	for (size_t i = 0; i < u->n_nlri; i++)
		take_route(s, u->nlri[i], &u->attrs);
	if (u->end_of_rib)
		s->end_of_ribs++;
}

void
bgp_session_send(struct bgp_session *s, struct fab_buf *b)
{
	struct bgp_decode_opts opts = { .as4 = s->wire == BGP_WIRE_RFC_AS4,
		.ibgp = s->conf.local_as == s->conf.peer_as,
		.extended = s->message_max > 4096 };
	struct bgp_scratch sc = { 0 };
	struct bgp_notify err;
	struct bgp_msg m;

	CU_ASSERT_EQUAL_FATAL(s->state, BGP_ESTABLISHED);
	CU_ASSERT(b->len <= s->message_max);
	CU_ASSERT_EQUAL_FATAL(bgp_msg_decode(&m, &sc, &opts, b->data, b->len, &err), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(m.type, BGP_MSG_UPDATE);
	for (size_t i = 0; i < m.updates.n; i++)
		take_update(s, &m.updates.u[i]);
	s->messages++;
	s->last = b;
	bgp_scratch_fini(&sc);
}

bool
bgp_session_refresh(struct bgp_session *s)
{
	s->refreshes += s->can_refresh;
	return s->can_refresh;
}

const char *
bgp_state_name(enum bgp_state state)
{
	static const char *const names[] = { "Idle", "Connect", "Active", "OpenSent", "OpenConfirm",
		"Established" };

	return state < BGP_STATE_COUNT ? names[state] : "unknown";
}

void
bgp_session_refresh_mark(struct bgp_session *s, bool end)
{
	CU_ASSERT_EQUAL(end, s->marks % 2 == 1);
	s->marks++;
}

enum bgp_state
bgp_session_state(const struct bgp_session *s)
{
	return s->state;
}

const struct bgp_session_stats *
bgp_session_stats(const struct bgp_session *s)
{
	return &s->stats;
}

bool
bgp_session_was_shut_down(const struct bgp_session *s)
{
	return strstr(s->last_error, "Administrative Shutdown") != NULL;
}

const char *
bgp_session_last_error(const struct bgp_session *s)
{
	return s->last_error;
}

uint64_t
bgp_session_since_us(const struct bgp_session *s)
{
	return s->since_us;
}

uint16_t
bgp_session_hold_sec(const struct bgp_session *s)
{
	return (uint16_t)(s->conf.hold_ms / 1000);
}

size_t
bgp_session_backlog(const struct bgp_session *s)
{
	(void)s;
	return 0;
}

void
bgp_session_cut(struct bgp_session *s, bool in, bool out)
{
	s->cut_in = in;
	s->cut_out = out;
}

enum bgp_wire
bgp_session_wire(const struct bgp_session *s)
{
	return s->wire;
}

size_t
bgp_session_message_max(const struct bgp_session *s)
{
	return s->message_max;
}

const struct bgp_session_conf *
bgp_session_conf(const struct bgp_session *s)
{
	return &s->conf;
}

uint32_t
bgp_session_peer_router_id(const struct bgp_session *s)
{
	return s->router_id;
}

/* ---- listeners ---- */

struct bgp_listener {
	bgp_accept_fn *fn;
	void *ctx;
};

struct bgp_incoming {
	struct bgp_session *taken;
	bool refused;
};

static struct bgp_listener *listeners[2];

static int
fake_listen(struct bgp_listener **out, bgp_accept_fn *fn, void *ctx, enum bgp_transport_kind kind)
{
	*out = calloc(1, sizeof(**out));
	**out = (struct bgp_listener){ fn, ctx };
	listeners[kind] = *out;
	return FAB_OK;
}

int
bgp_listen_tcp(struct bgp_listener **out, struct fab_loop *loop, uint32_t addr, uint16_t port,
    bgp_accept_fn *fn, void *ctx)
{
	(void)loop;
	(void)addr;
	(void)port;
	return fake_listen(out, fn, ctx, BGP_TRANSPORT_TCP);
}

int
bgp_listen_nng(struct bgp_listener **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, bgp_accept_fn *fn, void *ctx)
{
	(void)loop;
	(void)url;
	(void)tls;
	return fake_listen(out, fn, ctx, BGP_TRANSPORT_NNG);
}

uint16_t
bgp_listener_port(const struct bgp_listener *l)
{
	(void)l;
	return 179;
}

void
bgp_listener_free(struct bgp_listener *l)
{
	for (size_t i = 0; i < 2; i++)
		if (listeners[i] == l)
			listeners[i] = NULL;
	free(l);
}

void
bgp_session_accept(struct bgp_session *s, struct bgp_incoming *in)
{
	in->taken = s;
	s->accepted++;
}

void
bgp_incoming_refuse(struct bgp_incoming *in, enum bgp_cease subcode)
{
	CU_ASSERT_EQUAL(subcode, 0); /* RS-36: not a word */
	in->refused = true;
}

/* ---- for tests ---- */

struct bgp_session *
fake_find(const char *peer)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (sessions[i] != NULL && strcmp(sessions[i]->conf.peer_name, peer) == 0)
			return sessions[i];
	return NULL;
}

void
fake_up(struct bgp_session *s)
{
	s->state = BGP_ESTABLISHED;
	s->since_us++;
	s->stats.transitions++;
	s->n_table = 0;
	s->messages = s->announced = s->withdrawn = s->end_of_ribs = s->strays = 0;
	s->cb->up(s->ctx, s);
}

void
fake_down(struct bgp_session *s, const char *reason)
{
	s->state = BGP_IDLE;
	s->since_us++;
	s->n_table = 0;
	snprintf(s->last_error, sizeof(s->last_error), "%s", reason);
	s->cb->down(s->ctx, s, reason);
}

void
fake_settle(void)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (sessions[i] != NULL && sessions[i]->reset_pending) {
			sessions[i]->reset_pending = false;
			if (sessions[i]->state == BGP_ESTABLISHED)
				fake_down(sessions[i], sessions[i]->reset_reason);
		}
}

static size_t
parse_nets(struct ipnet *out, size_t max, const char *list)
{
	char copy[1024], *save = NULL;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", list == NULL ? "" : list);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		CU_ASSERT_FATAL(n < max);
		CU_ASSERT_EQUAL_FATAL(ipnet_parse(&out[n++], w), FAB_OK);
	}
	return n;
}

static void
load_path(struct bgp_path_buf *b, const uint32_t *path)
{
	bgp_path_load(b, NULL, 0);
	for (size_t i = 0; path != NULL && path[i] != 0; i++)
		bgp_path_append(b, path[i]);
}

void
fake_rx(struct bgp_session *s, const struct fake_update *in)
{
	static struct bgp_path_buf path;
	static uint8_t other[8192];
	struct ipnet nlri[64], withdrawn[64];
	struct bgp_update u = { .nlri = nlri, .withdrawn = withdrawn };

	load_path(&path, in->path);
	u.n_nlri = parse_nets(nlri, 64, in->announce);
	u.n_withdrawn = parse_nets(withdrawn, 64, in->withdraw);
	u.attrs = (struct bgp_attr_spec){ .origin = in->origin,
		.next_hop = in->next_hop,
		.as_path = path.data,
		.as_path_octets = path.octets,
		.communities = in->communities,
		.n_communities = (uint16_t)in->n_communities,
		.has_med = in->has_med,
		.med = in->med,
		.has_local_pref = in->has_local_pref,
		.local_pref = in->local_pref };
	if (in->padding > 0) { /* optional, transitive, partial, extended length */
		other[0] = 0xf0;
		other[1] = 200;
		other[2] = (uint8_t)(in->padding >> 8);
		other[3] = (uint8_t)in->padding;
		u.attrs.other = other;
		u.attrs.other_octets = (uint16_t)(in->padding + 4);
	}
	s->cb->update(s->ctx, s, &u);
}

void
fake_rx_nets(struct bgp_session *s, const struct ipnet *nets, size_t n, uint32_t next_hop,
    const uint32_t *path)
{
	static struct bgp_path_buf buf;
	struct bgp_update u = { .nlri = nets, .n_nlri = n };

	load_path(&buf, path);
	u.attrs = (struct bgp_attr_spec){
		.next_hop = next_hop, .as_path = buf.data, .as_path_octets = buf.octets
	};
	s->cb->update(s->ctx, s, &u);
}

void
fake_end_of_rib(struct bgp_session *s)
{
	struct bgp_update u = { .end_of_rib = true };

	s->cb->update(s->ctx, s, &u);
}

const struct fake_route *
fake_has(const struct bgp_session *s, const char *prefix)
{
	struct ipnet net;
	size_t i;

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, prefix), FAB_OK);
	i = slot_of(s, net);
	return i < s->n_table ? &s->table[i] : NULL;
}

const char *
fake_path(const struct fake_route *r)
{
	static char text[128];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; r != NULL && i < r->n_path; i++)
		n +=
		    (size_t)snprintf(text + n, sizeof(text) - n, i == 0 ? "%u" : " %u", r->path[i]);
	return r == NULL ? "(nothing)" : text;
}

const char *
fake_connect(enum bgp_transport_kind kind, uint32_t from)
{
	struct bgp_incoming in = { 0 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(listeners[kind]);
	listeners[kind]->fn(listeners[kind]->ctx, &in, from);
	CU_ASSERT(in.refused != (in.taken != NULL));
	return in.taken == NULL ? NULL : in.taken->conf.peer_name;
}
