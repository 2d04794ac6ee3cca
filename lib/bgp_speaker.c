/*
 * Peers, their sessions, and listeners of a speaker (bgp_speaker.h). What a session tells goes to
 * Adj-RIB-In (bgp_speaker_in.c) and leaves dirty prefixes behind; the run at the end of the turn
 * (bgp_speaker_run.c) does the rest.
 */
#include "lib/bgp_speaker.h"

#include "lib/bgp_speaker_priv.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct sp_listener {
	struct speaker *sp;
	struct bgp_listener *l;
	enum bgp_transport_kind kind;
	struct sp_listener *next;
};

/* ---- the speaker ---- */

static void
run_cb(void *arg)
{
	speaker_run(arg);
}

int
speaker_new(struct speaker **out, struct fab_loop *loop, const struct speaker_role *role, void *ctx)
{
	struct speaker *sp = calloc(1, sizeof(*sp));
	int err = FAB_ENOMEM;

	if (sp == NULL)
		return FAB_ENOMEM;
	sp->loop = loop;
	sp->role = role;
	sp->ctx = ctx;
	sp->post = (struct fab_post){ .fn = run_cb, .arg = sp };
	sp->n_slots = 1; /* FROM_NONE */
	sp->by_slot = calloc(1, sizeof(*sp->by_slot));
	if (sp->by_slot == NULL || (err = bgp_attr_table_new(&sp->attrs)) != FAB_OK ||
	    (err = rib_new(&sp->rib)) != FAB_OK || (err = speaker_hold_init(sp)) != FAB_OK)
		goto fail;
	*out = sp;
	return FAB_OK;
fail:
	speaker_free(sp);
	return err;
}

static void
peer_free(struct speaker_peer *p)
{
	speaker_out_moved_free(p);
	bgp_session_free(p->session);
	free(p);
}

void
speaker_free(struct speaker *sp)
{
	struct speaker_peer *p, *next;

	if (sp == NULL)
		return;
	speaker_unlisten_all(sp);
	fab_loop_defer_cancel(sp->loop, &sp->post);
	DL_FOREACH_SAFE (sp->peers, p, next) {
		bgp_session_stop(p->session, BGP_CEASE_ADMIN_SHUTDOWN, NULL);
		peer_free(p);
	}
	DL_FOREACH_SAFE (sp->gone, p, next)
		peer_free(p);
	if (sp->rib != NULL) {
		speaker_out_fini(sp);
		speaker_in_fini(sp);
	}
	speaker_sum_fini(sp);
	speaker_hold_fini(sp);
	rib_free(sp->rib);
	if (sp->attrs != NULL)
		bgp_attr_table_free(sp->attrs);
	free(sp->by_slot);
	free(sp->changes);
	free(sp->best);
	free(sp);
}

struct bgp_attr_table *
speaker_attrs(struct speaker *sp)
{
	return sp->attrs;
}

struct speaker_scratch *
speaker_scratch(struct speaker *sp)
{
	return &sp->scratch;
}

void *
speaker_grow(void *array, size_t *max, size_t need, size_t size)
{
	size_t n = *max < 64 ? 64 : *max;

	if (need <= *max)
		return array;
	while (n < need)
		n *= 2;
	array = realloc(array, n * size);
	FAB_ASSERT(array != NULL);
	*max = n;
	return array;
}

void
speaker_note(struct speaker *sp, unsigned rank, const char *subject, const char *text)
{
	if (rank <= sp->cause_rank)
		return;
	sp->cause_rank = rank;
	sp->cause.detect_us = fab_wall_us();
	snprintf(sp->cause.subject, sizeof(sp->cause.subject), "%s", subject);
	if (subject[0] == '\0')
		snprintf(sp->cause.text, sizeof(sp->cause.text), "%s", text);
	else
		snprintf(sp->cause.text, sizeof(sp->cause.text), "peer %s: %s", subject, text);
}

void
speaker_schedule(struct speaker *sp)
{
	sp->cause.withdraw_us = fab_wall_us();
	fab_loop_defer(sp->loop, &sp->post);
}

/* ---- what sessions tell ---- */

static void
on_up(void *ctx, struct bgp_session *s)
{
	struct speaker_peer *p = ctx;
	struct speaker *sp = p->sp;

	(void)s;
	p->up = true;
	p->synced = p->synced_due = false;
	p->dropped = 0;
	p->due = TABLE_FIRST;
	speaker_note(sp, CAUSE_CONFIG, p->conf.session.peer_name, "session up");
	speaker_schedule(sp);
	if (sp->role->peer_state != NULL)
		sp->role->peer_state(sp->ctx, p, BGP_ESTABLISHED, "");
}

/* The peer's routes are gone at once, in one batch, however the session ended (RS-90 ... RS-92). */
static void
peer_lost(struct speaker_peer *p, const char *reason)
{
	speaker_note(p->sp, CAUSE_LOSS, p->conf.session.peer_name, reason);
	p->up = p->synced = p->synced_due = false;
	p->due = TABLE_NONE;
	speaker_out_moved_free(p);
	speaker_in_drop_all(p);
	speaker_schedule(p->sp);
}

static void
on_down(void *ctx, struct bgp_session *s, const char *reason)
{
	struct speaker_peer *p = ctx;
	struct speaker *sp = p->sp;

	peer_lost(p, reason);
	if (sp->role->peer_state != NULL)
		sp->role->peer_state(sp->ctx, p, bgp_session_state(s), reason);
}

/* Told at the end of the turn, behind the routes that the peer sent before it. */
static void
peer_has_synced(struct speaker_peer *p)
{
	if (p->synced || p->synced_due)
		return;
	p->synced_due = true;
	fab_loop_defer(p->sp->loop, &p->sp->post);
}

static void
on_update(void *ctx, struct bgp_session *s, const struct bgp_update *u)
{
	struct speaker_peer *p = ctx;
	int err;

	speaker_note(p->sp, CAUSE_UPDATE, p->conf.session.peer_name,
	    u->n_nlri > 0 && !u->treat_as_withdraw ? "UPDATE" : "withdrawal");
	err = speaker_in_update(p, u);
	if (err == FAB_ETOOBIG) /* RS-21, RFC 4486 4 */
		bgp_session_reset(
		    s, BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIXES, "maximum number of prefixes reached");
	else if (err != FAB_OK)
		bgp_session_reset(s, BGP_ERR_CEASE, BGP_CEASE_OUT_OF_RESOURCES, "out of memory");
	if (u->end_of_rib)
		peer_has_synced(p);
}

static void
on_refresh(void *ctx, struct bgp_session *s)
{
	struct speaker_peer *p = ctx;

	(void)s;
	if (p->due == TABLE_NONE)
		p->due = TABLE_AGAIN;
	fab_loop_defer(p->sp->loop, &p->sp->post);
}

static void
on_first_keepalive(void *ctx, struct bgp_session *s)
{
	(void)s;
	peer_has_synced(ctx);
}

static const struct bgp_session_cb session_cb = {
	.up = on_up,
	.down = on_down,
	.update = on_update,
	.refresh = on_refresh,
	.first_keepalive = on_first_keepalive,
};

/* ---- peers ---- */

static int
slot_take(struct speaker *sp, struct speaker_peer *p)
{
	struct speaker_peer **grown;

	for (uint32_t i = 1; i < sp->n_slots; i++)
		if (sp->by_slot[i] == NULL) {
			sp->by_slot[p->slot = i] = p;
			return FAB_OK;
		}
	grown = realloc(sp->by_slot, (sp->n_slots + 1) * sizeof(struct speaker_peer *));
	if (grown == NULL)
		return FAB_ENOMEM;
	sp->by_slot = grown;
	p->slot = sp->n_slots++;
	sp->by_slot[p->slot] = p;
	return FAB_OK;
}

int
speaker_peer_add(
    struct speaker *sp, const struct speaker_peer_conf *conf, struct speaker_peer **out)
{
	struct speaker_peer *p;
	int err;

	if (speaker_peer_find(sp, conf->session.peer_name) != NULL)
		return FAB_EEXIST;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return FAB_ENOMEM;
	p->sp = sp;
	p->conf = *conf;
	err = bgp_session_new(&p->session, sp->loop, &conf->session, &session_cb, p);
	if (err == FAB_OK)
		err = slot_take(sp, p);
	if (err != FAB_OK)
		goto fail;
	p->conf.session = *bgp_session_conf(p->session);
	err = speaker_out_join(p);
	if (err != FAB_OK)
		goto fail;
	DL_APPEND(sp->peers, p);
	bgp_session_start(p->session);
	if (out != NULL)
		*out = p;
	return FAB_OK;
fail:
	if (p->slot != FROM_NONE)
		sp->by_slot[p->slot] = NULL;
	peer_free(p);
	return err;
}

/* RS-98 */
void
speaker_peer_remove(struct speaker *sp, struct speaker_peer *p)
{
	if (p->up)
		peer_lost(p, "removed from the configuration");
	bgp_session_free(p->session);
	p->session = NULL;
	speaker_out_leave(p);
	/* Adj-RIB-Out may name its slot until the run is over. */
	DL_DELETE(sp->peers, p);
	DL_APPEND(sp->gone, p);
	speaker_schedule(sp);
}

struct speaker_peer *
speaker_peer_find(struct speaker *sp, const char *name)
{
	struct speaker_peer *p;

	DL_FOREACH (sp->peers, p)
		if (strcmp(p->conf.session.peer_name, name) == 0)
			return p;
	return NULL;
}

struct speaker_peer *
speaker_peer_next(struct speaker *sp, struct speaker_peer *after)
{
	return after == NULL ? sp->peers : after->next;
}

const struct speaker_peer_conf *
speaker_peer_conf(const struct speaker_peer *p)
{
	return &p->conf;
}

void *
speaker_peer_user(const struct speaker_peer *p)
{
	return p->conf.user;
}

struct bgp_session *
speaker_peer_session(struct speaker_peer *p)
{
	return p->session;
}

bool
speaker_peer_synced(const struct speaker_peer *p)
{
	return p->synced;
}

uint32_t
speaker_peer_routes_in(const struct speaker_peer *p)
{
	return p->routes_in;
}

uint32_t
speaker_peer_routes_out(const struct speaker_peer *p)
{
	return p->up ? p->group->n_out - p->out_own : 0;
}

void
speaker_refresh_peers(struct speaker *sp, uint32_t group, uint32_t mask)
{
	struct speaker_peer *p;

	DL_FOREACH (sp->peers, p)
		if (p->up && (p->conf.group & mask) == group && !bgp_session_refresh(p->session))
			bgp_session_reset(p->session, BGP_ERR_CEASE, BGP_CEASE_ADMIN_RESET,
			    "peer cannot refresh its routes");
}

void
speaker_reevaluate(struct speaker *sp, const char *why)
{
	struct speaker_peer *p;

	speaker_note(sp, CAUSE_CONFIG, "", why);
	speaker_in_reevaluate(sp);
	DL_FOREACH (sp->peers, p)
		if (p->up && p->dropped > 0 && bgp_session_refresh(p->session))
			p->dropped = 0;
	speaker_schedule(sp);
}

/* ---- listeners ---- */

/* Where the peer's connections come from (RS-36). */
static uint32_t
accept_address(const struct speaker_peer *p)
{
	const struct bgp_session_conf *c = &p->conf.session;

	if (c->transport == BGP_TRANSPORT_NNG)
		return c->peer_addr;
	if (p->conf.accept_addr != 0)
		return p->conf.accept_addr;
	return c->dial_addr != 0 ? c->dial_addr : c->peer_addr;
}

/* Several peers may share a loopback address: the first that has no session is meant. */
static struct speaker_peer *
peer_for(struct speaker *sp, enum bgp_transport_kind kind, uint32_t addr)
{
	struct speaker_peer *p, *busy = NULL;

	DL_FOREACH (sp->peers, p) {
		if (p->conf.session.transport != kind || accept_address(p) != addr)
			continue;
		if (!p->up)
			return p;
		if (busy == NULL)
			busy = p;
	}
	return busy;
}

static void
on_accept(void *ctx, struct bgp_incoming *in, uint32_t peer_addr)
{
	struct sp_listener *l = ctx;
	struct speaker_peer *p = peer_for(l->sp, l->kind, peer_addr);
	char text[IPADDR_STRLEN];

	if (p != NULL) {
		bgp_session_accept(p->session, in);
		return;
	}
	fab_debug(
	    "connection from %s refused: not a configured peer", ipaddr_format(text, peer_addr));
	bgp_incoming_refuse(in, 0);
}

static struct sp_listener *
listener_new(struct speaker *sp, enum bgp_transport_kind kind)
{
	struct sp_listener *l = calloc(1, sizeof(*l));

	if (l != NULL)
		*l = (struct sp_listener){ .sp = sp, .kind = kind };
	return l;
}

static int
listener_add(struct speaker *sp, struct sp_listener *l, int err)
{
	if (err == FAB_OK)
		LL_PREPEND(sp->listeners, l);
	else
		free(l);
	return err;
}

int
speaker_listen_tcp(struct speaker *sp, uint32_t addr, uint16_t port)
{
	struct sp_listener *l = listener_new(sp, BGP_TRANSPORT_TCP);

	if (l == NULL)
		return FAB_ENOMEM;
	return listener_add(sp, l, bgp_listen_tcp(&l->l, sp->loop, addr, port, on_accept, l));
}

int
speaker_listen_nng(struct speaker *sp, const char *url, const struct fab_tls *tls)
{
	struct sp_listener *l = listener_new(sp, BGP_TRANSPORT_NNG);

	if (l == NULL)
		return FAB_ENOMEM;
	return listener_add(sp, l, bgp_listen_nng(&l->l, sp->loop, url, tls, on_accept, l));
}

uint16_t
speaker_listen_port(const struct speaker *sp)
{
	const struct sp_listener *l;

	LL_FOREACH (sp->listeners, l)
		if (l->kind == BGP_TRANSPORT_TCP)
			return bgp_listener_port(l->l);
	return 0;
}

void
speaker_unlisten_all(struct speaker *sp)
{
	struct sp_listener *l, *next;

	LL_FOREACH_SAFE (sp->listeners, l, next) {
		bgp_listener_free(l->l);
		free(l);
	}
	sp->listeners = NULL;
}
