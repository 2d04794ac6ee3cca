/*
 * A struct wire_conf applied to a speaker by difference. One slot per configured peer stands
 * between the two: the speaker's session leads to its slot, the slot to the peer of the conf in
 * force, so policy follows a new conf without touching the session.
 *
 * Slots and confs that went out of force are kept until the next application, because the speaker
 * may still name them until its turn ends.
 */
#include "lib/wire_apply.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define FIRST_OWN_GROUP 0x10000u /* below: export groups that roles choose */

struct slot {
	UT_hash_handle hh;
	char *name;
	const struct wire_peer *peer;
	struct speaker_peer *session; /* NULL: not wanted, or refused */
	uint32_t own_group;
	uint64_t mark;        /* application that last listed it */
	bool changed;         /* ended because it is to be re-created */
	bool cut_in, cut_out; /* as last told to the session */
	struct slot *next_retired;
};

struct own_key {
	uint32_t addr, tag;
	uint32_t len;
};

struct own {
	UT_hash_handle hh;
	struct own_key key;
	struct bgp_attrs *attrs;
	enum hrp_source source;
	uint32_t weight;
	uint64_t mark;
};

struct wire_apply {
	struct speaker *sp;
	const struct fab_tls *tls;
	const struct wire_apply_ops *ops;
	void *ctx;
	struct wire_conf *conf, *previous;
	struct slot *slots, *retired;
	struct own *own;
	uint32_t next_group;
	uint64_t mark, own_mark;
	unsigned originated; /* since wire_apply_own_begin() */
};

int
wire_apply_new(struct wire_apply **out, struct speaker *sp, const struct fab_tls *tls,
    const struct wire_apply_ops *ops, void *ctx)
{
	struct wire_apply *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return FAB_ENOMEM;
	*a = (struct wire_apply){
		.sp = sp, .tls = tls, .ops = ops, .ctx = ctx, .next_group = FIRST_OWN_GROUP
	};
	*out = a;
	return FAB_OK;
}

const struct wire_conf *
wire_apply_current(const struct wire_apply *a)
{
	return a->conf;
}

const struct wire_peer *
wire_peer_of(const struct speaker_peer *p)
{
	const struct slot *s = speaker_peer_user(p);

	return s->peer;
}

/* Errors do not stop an application; the first one is told. */
static void
keep_first(int *first, char why[static 256], int err, const char *text)
{
	if (*first != FAB_OK || err == FAB_OK)
		return;
	*first = err;
	snprintf(why, 256, "%s", text);
}

/* ---- listeners ---- */

static bool
listeners_equal(const struct wire_conf *a, const struct wire_conf *b)
{
	if (strcmp(a->bgp_url, b->bgp_url) != 0 || a->n_listen != b->n_listen)
		return false;
	for (size_t i = 0; i < a->n_listen; i++)
		if (a->listen[i].addr != b->listen[i].addr ||
		    a->listen[i].port != b->listen[i].port)
			return false;
	return true;
}

static int
listen_all(struct wire_apply *a, const struct wire_conf *conf, char why[static 256])
{
	char addr[IPADDR_STRLEN], text[256];
	int err, first = FAB_OK;

	if (conf->bgp_url[0] != '\0') {
		err = speaker_listen_nng(a->sp, conf->bgp_url, a->tls);
		snprintf(text, sizeof(text), "cannot listen on %s: %s", conf->bgp_url,
		    fab_strerror(err));
		keep_first(&first, why, err, text);
	}
	for (size_t i = 0; i < conf->n_listen; i++) {
		err = speaker_listen_tcp(a->sp, conf->listen[i].addr, conf->listen[i].port);
		snprintf(text, sizeof(text), "cannot listen on %s:%u: %s",
		    ipaddr_format(addr, conf->listen[i].addr), conf->listen[i].port,
		    fab_strerror(err));
		keep_first(&first, why, err, text);
	}
	return first;
}

/* ---- sessions ---- */

static void
session_transport(struct speaker_peer_conf *pc, const struct wire_peer *peer)
{
	struct bgp_session_conf *s = &pc->session;

	if (!peer->tcp) {
		s->transport = BGP_TRANSPORT_NNG;
		s->dial_url = peer->url;
		s->passive = peer->passive || peer->url[0] == '\0';
		return;
	}
	s->transport = BGP_TRANSPORT_TCP;
	s->dial_addr = peer->dial.addr;
	s->dial_port = peer->dial.port;
	s->passive = peer->passive || peer->dial.port == 0;
	/* One address, two uses: what we bind to, or what a peer that only dials comes from. */
	if (s->passive)
		pc->accept_addr = peer->source_address;
	else
		s->source_addr = peer->source_address;
}

static struct speaker_peer_conf
session_conf(struct wire_apply *a, struct slot *slot)
{
	const struct wire_peer *peer = slot->peer;
	struct speaker_peer_conf pc = {
		.session = {
			.local_name = a->conf->name,
			.peer_name = peer->name,
			.local_as = a->conf->asn,
			.peer_as = peer->asn,
			.router_id = a->conf->router_id,
			.local_addr = peer->local_address,
			.peer_addr = peer->address,
			.hold_ms = peer->hold_ms,
			.keepalive_ms = peer->keepalive_ms,
			.connect_retry_ms = a->conf->connect_retry_ms != 0 ?
			    a->conf->connect_retry_ms : BGP_CONNECT_RETRY_MS,
			.bfd_ms = peer->bfd_ms,
			.own_timers = peer->own_timers,
			.min_hold_ms = peer->min_hold_ms,
		},
		.max_prefixes = peer->max_prefixes,
		.group = slot->own_group,
		.user = slot,
		.ibgp = peer->asn == a->conf->asn,
	};

	session_transport(&pc, peer);
	if (a->ops->peer != NULL)
		a->ops->peer(a->ctx, peer, &pc);
	return pc;
}

static bool
text_equal(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static bool
session_equal(const struct bgp_session_conf *a, const struct bgp_session_conf *b)
{
	return text_equal(a->local_name, b->local_name) && text_equal(a->peer_name, b->peer_name) &&
	       text_equal(a->dial_url, b->dial_url) && a->local_as == b->local_as &&
	       a->peer_as == b->peer_as && a->router_id == b->router_id &&
	       a->local_addr == b->local_addr && a->peer_addr == b->peer_addr &&
	       a->hold_ms == b->hold_ms && a->keepalive_ms == b->keepalive_ms &&
	       a->connect_retry_ms == b->connect_retry_ms && a->transport == b->transport &&
	       a->passive == b->passive && a->dial_addr == b->dial_addr &&
	       a->dial_port == b->dial_port && a->source_addr == b->source_addr &&
	       a->ttl == b->ttl && a->offer_ipv6 == b->offer_ipv6 &&
	       a->offer_enhanced_refresh == b->offer_enhanced_refresh &&
	       a->offer_extended_message == b->offer_extended_message && a->bfd_ms == b->bfd_ms &&
	       a->own_timers == b->own_timers && a->min_hold_ms == b->min_hold_ms;
}

static bool
peer_equal(const struct speaker_peer_conf *a, const struct speaker_peer_conf *b)
{
	return a->max_prefixes == b->max_prefixes && a->ibgp == b->ibgp &&
	       session_equal(&a->session, &b->session);
}

static bool
wanted(const struct wire_apply *a, const struct slot *s)
{
	if (a->ops->wanted != NULL)
		return a->ops->wanted(a->ctx, s->peer);
	return !s->peer->shut;
}

static void
drop_session(struct wire_apply *a, struct slot *s)
{
	struct speaker_peer *session = s->session;

	if (session == NULL)
		return;
	s->session = NULL;
	speaker_peer_remove(a->sp, session);
	if (a->ops->gone != NULL)
		a->ops->gone(a->ctx, s->peer);
}

/* Ends the session if it is not wanted as it is. */
static void
prune(struct wire_apply *a, struct slot *s, struct wire_diff *diff)
{
	struct speaker_peer_conf pc;

	if (s->session == NULL)
		return;
	pc = session_conf(a, s);
	if (!wanted(a, s)) {
		diff->removed++;
		drop_session(a, s);
	} else if (peer_equal(speaker_peer_conf(s->session), &pc)) {
		diff->kept++;
		speaker_peer_regroup(a->sp, s->session, pc.group);
	} else {
		s->changed = true;
		drop_session(a, s);
	}
}

static int
establish(struct wire_apply *a, struct slot *s, struct wire_diff *diff, char why[static 256])
{
	struct speaker_peer_conf pc;
	int err;

	if (s->session != NULL || !wanted(a, s))
		return FAB_OK;
	pc = session_conf(a, s);
	err = speaker_peer_add(a->sp, &pc, &s->session);
	if (err != FAB_OK)
		snprintf(why, 256, "peer %s: %s", s->name, fab_strerror(err));
	else if (s->changed)
		diff->recreated++;
	else
		diff->added++;
	s->changed = false;
	s->cut_in = s->cut_out = false;
	return err;
}

/* A link stays cut over restarts and re-created sessions: the configuration carries it. */
static void
cut(struct slot *s)
{
	if (s->session == NULL || (s->cut_in == s->peer->cut_in && s->cut_out == s->peer->cut_out))
		return;
	s->cut_in = s->peer->cut_in;
	s->cut_out = s->peer->cut_out;
	bgp_session_cut(speaker_peer_session(s->session), s->cut_in, s->cut_out);
}

static struct slot *
slot_get(struct wire_apply *a, const char *name)
{
	struct slot *s;

	HASH_FIND_STR(a->slots, name, s);
	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->name = strdup(name)) == NULL) {
		free(s);
		return NULL;
	}
	s->own_group = a->next_group++;
	HASH_ADD_KEYPTR(hh, a->slots, s->name, strlen(s->name), s);
	return s;
}

static void
slots_free(struct slot *list)
{
	struct slot *s, *next;

	for (s = list; s != NULL; s = next) {
		next = s->next_retired;
		free(s->name);
		free(s);
	}
}

/* Binds every slot to the new conf and ends the sessions of those it does not list. */
static int
bind_slots(struct wire_apply *a, struct wire_diff *diff)
{
	struct slot *s, *tmp;
	int err = FAB_OK;

	a->mark++;
	for (size_t i = 0; i < a->conf->n_peers; i++) {
		s = slot_get(a, a->conf->peers[i].name);
		if (s == NULL) {
			err = FAB_ENOMEM;
			continue;
		}
		s->peer = &a->conf->peers[i];
		s->mark = a->mark;
	}
	HASH_ITER (hh, a->slots, s, tmp) {
		if (s->mark == a->mark)
			continue;
		if (s->session != NULL)
			diff->removed++;
		drop_session(a, s);
		HASH_DEL(a->slots, s);
		s->next_retired = a->retired;
		a->retired = s;
	}
	return err;
}

/* All that end do so before the first one begins: two peers may have swapped addresses. */
static int
apply_sessions(struct wire_apply *a, struct wire_diff *diff, char why[static 256])
{
	struct slot *s, *tmp;
	int err, first = FAB_OK;

	HASH_ITER (hh, a->slots, s, tmp)
		prune(a, s, diff);
	HASH_ITER (hh, a->slots, s, tmp) {
		char text[256];

		err = establish(a, s, diff, text);
		keep_first(&first, why, err, text);
		cut(s);
	}
	return first;
}

int
wire_apply_conf(
    struct wire_apply *a, struct wire_conf *conf, struct wire_diff *diff, char why[static 256])
{
	char text[256];
	int err, err2;

	wire_conf_free(a->previous);
	slots_free(a->retired);
	a->retired = NULL;
	a->previous = a->conf;
	a->conf = conf;

	err = bind_slots(a, diff);
	if (err != FAB_OK)
		snprintf(why, 256, "%s", fab_strerror(err));
	if (a->previous == NULL || !listeners_equal(a->previous, conf)) {
		speaker_unlisten_all(a->sp);
		err2 = listen_all(a, conf, text);
		keep_first(&err, why, err2, text);
	}
	err2 = apply_sessions(a, diff, text);
	keep_first(&err, why, err2, text);
	return err;
}

void
wire_apply_recheck(struct wire_apply *a)
{
	struct wire_diff diff = { 0 };
	char why[256];

	if (a->conf != NULL)
		apply_sessions(a, &diff, why);
}

bool
wire_apply_converged(const struct wire_apply *a, char *why, size_t size)
{
	struct slot *s, *tmp;

	if (a->conf == NULL) {
		if (why != NULL)
			snprintf(why, size, "no configuration yet");
		return false;
	}
	HASH_ITER (hh, a->slots, s, tmp) {
		if (!wanted(a, s) || s->peer->optional ||
		    (s->session != NULL && speaker_peer_synced(s->session)))
			continue;
		if (why != NULL)
			snprintf(why, size, "peer %s is not up", s->name);
		return false;
	}
	return true;
}

/* ---- originations ---- */

static void
own_drop(struct wire_apply *a, struct own *o)
{
	struct ipnet prefix = { .addr = o->key.addr, .len = (uint8_t)o->key.len };

	speaker_unoriginate(a->sp, &prefix, o->key.tag);
	HASH_DEL(a->own, o);
	bgp_attrs_unref(speaker_attrs(a->sp), o->attrs);
	free(o);
}

void
wire_apply_own_begin(struct wire_apply *a)
{
	a->own_mark++;
	a->originated = 0;
}

static struct own *
own_get(struct wire_apply *a, const struct own_key *key)
{
	struct own *o;

	HASH_FIND(hh, a->own, key, sizeof(*key), o);
	if (o != NULL)
		return o;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->key = *key;
	HASH_ADD(hh, a->own, key, sizeof(o->key), o);
	return o;
}

int
wire_apply_own(struct wire_apply *a, const struct ipnet *prefix, const struct bgp_attr_spec *spec,
    enum hrp_source source, uint32_t weight, uint32_t tag)
{
	struct own_key key = { .addr = prefix->addr, .len = prefix->len, .tag = tag };
	struct bgp_attr_table *table = speaker_attrs(a->sp);
	struct bgp_attrs *attrs = bgp_attrs_intern(table, spec);
	struct own *o = attrs == NULL ? NULL : own_get(a, &key);
	int err;

	if (o == NULL) {
		bgp_attrs_unref(table, attrs);
		return FAB_ENOMEM;
	}
	o->mark = a->own_mark;
	if (o->attrs == attrs && o->source == source && o->weight == weight) {
		bgp_attrs_unref(table, attrs);
		return FAB_OK;
	}
	bgp_attrs_unref(table, o->attrs);
	o->attrs = attrs;
	o->source = source;
	o->weight = weight;
	err = speaker_originate(a->sp, prefix, spec, source, weight, tag);
	if (err != FAB_OK) {
		own_drop(a, o);
		return err;
	}
	a->originated++;
	return FAB_OK;
}

void
wire_apply_own_end(struct wire_apply *a, struct wire_diff *diff)
{
	struct own *o, *tmp;

	HASH_ITER (hh, a->own, o, tmp) {
		if (o->mark == a->own_mark)
			continue;
		own_drop(a, o);
		diff->unoriginated++;
	}
	diff->originated += a->originated;
}

void
wire_apply_free(struct wire_apply *a)
{
	struct slot *s, *stmp;
	struct own *o, *otmp;

	if (a == NULL)
		return;
	HASH_ITER (hh, a->own, o, otmp)
		own_drop(a, o);
	HASH_ITER (hh, a->slots, s, stmp) {
		HASH_DEL(a->slots, s);
		free(s->name);
		free(s);
	}
	slots_free(a->retired);
	wire_conf_free(a->conf);
	wire_conf_free(a->previous);
	free(a);
}
