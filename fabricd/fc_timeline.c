/*
 * Changes and their stages (see fc_timeline.h).
 */
#include "fabricd/fc_timeline.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME_DETECT_US 10000 /* a session report and the batch it causes carry nearly one stamp */
#define SAME_FAULT_US  1000000

struct fc_timeline {
	struct fc_change ring[FC_TIMELINE_CHANGES];
	uint64_t n; /* changes so far; number i is at i % FC_TIMELINE_CHANGES */
	uint64_t hold_us, keepalive_us;
};

static const char *const stage_names[] = {
	[FC_STAGE_FAULT] = "fault",
	[FC_STAGE_CONFIG] = "config",
	[FC_STAGE_DETECT] = "detect",
	[FC_STAGE_WITHDRAW] = "withdraw",
	[FC_STAGE_ADJ_RIB_IN] = "adj-rib-in",
	[FC_STAGE_BEST_PATH] = "best-path",
	[FC_STAGE_DELAY] = "delay",
	[FC_STAGE_LAYER] = "layer",
	[FC_STAGE_PROGRAMMED] = "programmed",
	[FC_STAGE_PROBE] = "probe",
};
_Static_assert(sizeof(stage_names) / sizeof(stage_names[0]) == FC_STAGE_KIND_COUNT, "names");

const char *
fc_stage_name(enum fc_stage_kind k)
{
	return stage_names[k];
}

int
fc_timeline_new(struct fc_timeline **out)
{
	struct fc_timeline *tl = calloc(1, sizeof(*tl));

	if (tl == NULL)
		return FAB_ENOMEM;
	*out = tl;
	return FAB_OK;
}

void
fc_timeline_free(struct fc_timeline *tl)
{
	if (tl == NULL)
		return;
	for (size_t i = 0; i < FC_TIMELINE_CHANGES; i++)
		free(tl->ring[i].stages);
	free(tl);
}

void
fc_timeline_timing(struct fc_timeline *tl, uint64_t hold_us, uint64_t keepalive_us)
{
	tl->hold_us = hold_us;
	tl->keepalive_us = keepalive_us;
}

/* The change back steps before the newest (0: the newest), NULL if it is not kept. */
static struct fc_change *
change_back(struct fc_timeline *tl, uint64_t back)
{
	if (back >= tl->n || back >= FC_TIMELINE_CHANGES)
		return NULL;
	return &tl->ring[(tl->n - 1 - back) % FC_TIMELINE_CHANGES];
}

const struct fc_change *
fc_timeline_get(struct fc_timeline *tl, uint32_t back)
{
	return change_back(tl, back == 0 ? 0 : back - 1);
}

static struct fc_change *
change_open(struct fc_timeline *tl, uint64_t at_us, const char *cause)
{
	struct fc_change *c = &tl->ring[tl->n++ % FC_TIMELINE_CHANGES];

	free(c->stages);
	*c = (struct fc_change){ .start_us = at_us, .last_us = at_us };
	snprintf(c->cause, sizeof(c->cause), "%s", cause);
	return c;
}

/* Whether c was still waiting for stamps at that time. */
static bool
is_open(const struct fc_timeline *tl, const struct fc_change *c, uint64_t at_us)
{
	uint64_t quiet = FC_TIMELINE_QUIET_US;

	if (at_us <= c->delayed_us + quiet)
		return true;
	if (c->fault && !c->effect)
		return at_us <= c->start_us + tl->hold_us + FC_TIMELINE_GRACE_US;
	if (c->silent && tl->keepalive_us + tl->keepalive_us / 4 > quiet)
		quiet = tl->keepalive_us + tl->keepalive_us / 4;
	return at_us <= c->last_us + quiet;
}

/* The change that owns a stamp; opens one if none does. */
static struct fc_change *
change_for(struct fc_timeline *tl, uint64_t at_us, const char *cause)
{
	struct fc_change *newest = change_back(tl, 0), *before = change_back(tl, 1);

	if (newest != NULL && at_us >= newest->start_us)
		return is_open(tl, newest, at_us) ? newest : change_open(tl, at_us, cause);
	if (before != NULL && at_us >= before->start_us && is_open(tl, before, at_us))
		return before;
	/* Older than all: clocks of two machines differ a little, or it was long on its way. */
	return newest != NULL ? newest : change_open(tl, at_us, cause);
}

/* The change that was under way then; NULL: none that is kept. */
static struct fc_change *
change_at(struct fc_timeline *tl, uint64_t at_us)
{
	struct fc_change *c;

	for (uint64_t back = 0; (c = change_back(tl, back)) != NULL; back++)
		if (c->start_us <= at_us)
			return c;
	return NULL;
}

static bool
stages_grow(struct fc_change *c)
{
	size_t room = c->room == 0 ? 16 : c->room * 2;
	struct fc_stage *p;

	if (c->n_stages < c->room)
		return true;
	if (c->n_stages >= FC_TIMELINE_STAGES ||
	    (p = realloc(c->stages, room * sizeof(*p))) == NULL) {
		c->left_out++;
		return false;
	}
	c->stages = p;
	c->room = room;
	return true;
}

static void
stage_add(struct fc_change *c, const struct fc_stage *st)
{
	size_t i;

	if (st->at_us > c->last_us)
		c->last_us = st->at_us;
	if (!stages_grow(c))
		return;
	for (i = c->n_stages++; i > 0 && c->stages[i - 1].at_us > st->at_us; i--)
		c->stages[i] = c->stages[i - 1];
	c->stages[i] = *st;
}

static struct fc_stage
stage_make(enum fc_stage_kind kind, uint64_t at_us, const char *node, const char *subject,
    const char *text, uint32_t routes)
{
	struct fc_stage st = { .kind = kind, .at_us = at_us, .routes = routes };

	snprintf(st.node, sizeof(st.node), "%s", node);
	snprintf(st.subject, sizeof(st.subject), "%s", subject);
	snprintf(st.text, sizeof(st.text), "%s", text);
	return st;
}

void
fc_timeline_fault(
    struct fc_timeline *tl, uint64_t at_us, const char *node, const char *text, bool silent)
{
	struct fc_change *c = change_back(tl, 0);
	struct fc_stage st = stage_make(FC_STAGE_FAULT, at_us, node, node, text, 0);

	/* Two faults at once (chaos --pairs) are one change; else each fault has its own. */
	if (c == NULL || !c->fault || c->effect || at_us > c->start_us + SAME_FAULT_US)
		c = change_open(tl, at_us, text);
	c->fault = true;
	c->silent |= silent;
	stage_add(c, &st);
}

void
fc_timeline_config(struct fc_timeline *tl, uint64_t at_us, const char *text)
{
	struct fc_stage st = stage_make(FC_STAGE_CONFIG, at_us, "fabricd", "", text, 0);

	stage_add(change_open(tl, at_us, text), &st);
}

/* A session's loss is told twice: by the session report and by the cause of the batch. */
static bool
detect_known(const struct fc_change *c, const struct fc_stage *st)
{
	for (size_t i = c->n_stages; i-- > 0;) {
		const struct fc_stage *k = &c->stages[i];

		if (k->at_us + SAME_DETECT_US < st->at_us)
			return false;
		if (k->kind == FC_STAGE_DETECT && k->at_us <= st->at_us + SAME_DETECT_US &&
		    strcmp(k->node, st->node) == 0 && strcmp(k->subject, st->subject) == 0)
			return true;
	}
	return false;
}

static struct fc_change *
detect(struct fc_timeline *tl, const struct fc_stage *st)
{
	struct fc_change *c = change_for(tl, st->at_us, st->text);

	/* fabricd misses a process that died behind a cut link at once; the network has not
	 * noticed yet. */
	if (!c->silent || strcmp(st->node, FC_TIMELINE_OBSERVER) != 0)
		c->effect = true;
	if (!detect_known(c, st))
		stage_add(c, st);
	return c;
}

void
fc_timeline_session(
    struct fc_timeline *tl, uint64_t at_us, const char *node, const char *peer, const char *text)
{
	struct fc_stage st = stage_make(FC_STAGE_DETECT, at_us, node, peer, text, 0);

	detect(tl, &st);
}

void
fc_timeline_batch(struct fc_timeline *tl, const struct fc_batch_stamps *b)
{
	const struct {
		enum fc_stage_kind kind;
		uint64_t at_us;
		uint32_t routes;
	} later[] = {
		{ b->announces ? FC_STAGE_ADJ_RIB_IN : FC_STAGE_WITHDRAW, b->withdraw_us,
		    b->routes },
		{ FC_STAGE_BEST_PATH, b->best_path_us, b->routes },
		{ FC_STAGE_LAYER, b->layer_us, b->changed },
		{ FC_STAGE_PROGRAMMED, b->programmed_us, b->changed },
	};
	struct fc_change *c = b->since_us != 0 ? change_at(tl, b->since_us) : NULL;
	struct fc_stage st;

	if (b->detect_us != 0) {
		st = stage_make(FC_STAGE_DETECT, b->detect_us, b->node, b->subject, b->text, 0);
		if (c == NULL)
			c = detect(tl, &st);
		else
			stage_add(c, &st);
	}
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (later[i].at_us == 0)
			continue;
		if (c == NULL)
			c = change_for(tl, later[i].at_us, b->text);
		c->effect = true;
		st = stage_make(
		    later[i].kind, later[i].at_us, b->node, b->subject, b->text, later[i].routes);
		stage_add(c, &st);
	}
	if (b->delay_us == 0)
		return;
	if (c == NULL)
		c = change_for(tl, b->delay_us, b->text);
	st = stage_make(FC_STAGE_DELAY, b->delay_us, b->node, b->subject, b->delay_text, b->routes);
	stage_add(c, &st);
	if (b->delay_us + b->delay_for_us > c->delayed_us)
		c->delayed_us = b->delay_us + b->delay_for_us;
}

bool
fc_timeline_probe(struct fc_timeline *tl, const struct fc_probe *p)
{
	struct fc_stage st = stage_make(FC_STAGE_PROBE, p->to_us, p->node, "", p->text, 0);
	struct fc_change *c;
	uint64_t last;

	for (uint64_t back = 0; (c = change_back(tl, back)) != NULL; back++) {
		if (p->to_us < c->start_us || p->from_us > c->last_us)
			continue;
		last = c->last_us;
		stage_add(c, &st);
		if (!p->lost)
			c->last_us = last;
		return true;
	}
	return false;
}
