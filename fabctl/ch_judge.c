#include "fabctl/ch_judge.h"

#include "fabctl/ch_rules.h"
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const invariants[] = {
	[CH_INV_DELIVERED] = "delivered",
	[CH_INV_LOOP] = "no-loop",
	[CH_INV_BLACKHOLE] = "blackhole",
	[CH_INV_SYMMETRIC] = "symmetric",
	[CH_INV_STALE] = "no-stale",
	[CH_INV_SETTLES] = "settles",
	[CH_INV_RETURNS] = "returns",
};
_Static_assert(sizeof(invariants) / sizeof(invariants[0]) == CH_INV_COUNT, "invariants");

const char *
ch_invariant_name(enum ch_invariant i)
{
	return invariants[i];
}

bool
ch_is_silent(const struct ch_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (steps[i].fault != CH_KILL)
			return true;
	return false;
}

struct judge {
	struct ch_verdicts *out;
	const struct topo *t;
	const struct ch_seen *seen;
};

/* ---- findings ---- */

/* One for each invariant and rule; the first pair that shows it gives the words. */
static void find(struct judge *j, enum ch_invariant inv, const char *rule, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void
find(struct judge *j, enum ch_invariant inv, const char *rule, const char *fmt, ...)
{
	struct ch_verdicts *v = j->out;
	struct ch_finding *f;
	va_list ap;

	for (size_t i = 0; i < v->n_findings; i++)
		if (v->findings[i].invariant == inv && strcmp(v->findings[i].rule, rule) == 0) {
			v->findings[i].pairs++;
			return;
		}
	f = realloc(v->findings, (v->n_findings + 1) * sizeof(*f));
	FAB_ASSERT(f != NULL);
	v->findings = f;
	f = &v->findings[v->n_findings++];
	*f = (struct ch_finding){ inv, .rule = rule, .pairs = 1, .fix = ch_fix_of(rule) };
	if (inv == CH_INV_DELIVERED && f->fix[0] == '\0')
		f->fix = "announce it on that way too, if only as the second choice";
	va_start(ap, fmt);
	vsnprintf(f->what, sizeof(f->what), fmt, ap);
	va_end(ap);
}

/* ---- losses ---- */

static struct ch_lost *
lost(struct judge *j, size_t src, size_t dst, uint64_t us)
{
	struct ch_verdicts *v = j->out;
	struct ch_lost *l = realloc(v->lost, (v->n_lost + 1) * sizeof(*l));

	FAB_ASSERT(l != NULL);
	v->lost = l;
	l = &v->lost[v->n_lost++];
	*l = (struct ch_lost){
		.src = j->seen->after->names[src], .dst = j->seen->after->names[dst], .us = us
	};
	return l;
}

/* How many of the faults go by this rule. */
static size_t
faults_by(const struct judge *j, const char *rule)
{
	size_t n = 0;

	for (size_t i = 0; i < j->seen->n_steps; i++)
		n += strcmp(ch_rule_of_fault(j->t, &j->seen->steps[i]), rule) == 0;
	return n;
}

/* What no single packet shows: NICs follow one Route Server instance, and this one misses an NVA;
 * or there is none left. */
static const char *
rule_of_staying(const struct judge *j, const struct ch_lost *l, const struct ch_look *now)
{
	if (faults_by(j, "RS-93") > 1)
		return "RS-95";
	if (faults_by(j, "RS-94") > 0 && now->verdict == CH_BLACKHOLE)
		return "RS-94";
	return ch_rule_of_loss(j->t, l->src, l->dst, now);
}

static void
judge_staying(struct judge *j, struct ch_lost *l, const struct ch_look *now)
{
	const struct ch_seen *s = j->seen;
	const char *rule = rule_of_staying(j, l, now);

	l->stays = true;
	l->itself = ch_is_broken(s->steps, s->n_steps, l->src) ||
		    ch_is_broken(s->steps, s->n_steps, l->dst);
	l->alone = l->itself || !ch_could_carry(j->t, s->steps, s->n_steps, l->src, l->dst, l->way);
	if (now->verdict == CH_LOOP)
		find(j, CH_INV_LOOP, rule, "%s to %s: %s", l->src, l->dst, now->reason);
	else if (!l->alone)
		find(j, CH_INV_DELIVERED, rule, "%s to %s: %s; %s could carry it", l->src, l->dst,
		    now->reason, l->way);
}

static const char *
rule_of_gap(const struct judge *j, const struct ch_loss *l)
{
	if (l->rule[0] != '\0')
		return l->rule;
	return ch_is_silent(j->seen->steps, j->seen->n_steps) ? "RS-91" : "RS-90";
}

static void
judge_pair(struct judge *j, size_t src, size_t dst)
{
	const struct ch_seen *s = j->seen;
	const struct ch_look *now = &s->after->now[src][dst];
	const struct ch_loss *loss = &s->after->loss[src][dst];
	uint64_t us = ch_loss_us(loss, s->settled_us);
	struct ch_lost *l;

	if (s->before->now[src][dst].verdict != CH_DELIVERED)
		return;
	if (now->verdict != CH_DELIVERED) {
		judge_staying(j, lost(j, src, dst, us), now);
		return;
	}
	if (us > 0) {
		l = lost(j, src, dst, us);
		if (us > s->bound_us)
			find(j, CH_INV_BLACKHOLE, rule_of_gap(j, loss),
			    "%s to %s: lost for %.1f s%s: %s", l->src, l->dst, (double)us / 1e6,
			    loss->looped ? ", in a loop" : "", loss->reason);
	}
}

/* Stateful firewalls; each two directions once. */
static void
judge_symmetry(struct judge *j, size_t src, size_t dst)
{
	const struct ch_seen *s = j->seen;
	const struct ch_look *now = &s->after->now[src][dst];
	const char *rule = faults_by(j, "RS-94") > 0 ? "RS-94" : "MR-9";

	if (!now->stateful_break || (s->n_steps > 0 && s->before->now[src][dst].stateful_break))
		return;
	find(j, CH_INV_SYMMETRIC, rule, "%s, and back %s: a stateful NVA sees one direction only",
	    now->way, s->after->now[dst][src].way);
}

/* ---- at rest ---- */

static void
judge_rest(struct judge *j, size_t src, size_t dst)
{
	const struct ch_watch *w = j->seen->after;
	const struct ch_look *now = &w->now[src][dst];
	const char *a = w->names[src], *b = w->names[dst];
	char way[CH_WAY_MAX];

	if (now->verdict == CH_DELIVERED || ch_is_wanted(j->t, a, b, now))
		return;
	if (now->verdict == CH_LOOP)
		find(j, CH_INV_LOOP, ch_rule_of_loss(j->t, a, b, now), "%s to %s: %s", a, b,
		    now->reason);
	else if (ch_could_carry(j->t, NULL, 0, a, b, way))
		find(j, CH_INV_DELIVERED, ch_rule_of_loss(j->t, a, b, now),
		    "%s to %s: %s; %s could carry it", a, b, now->reason, way);
}

/* ---- routes ---- */

static void
judge_stale(struct judge *j)
{
	for (size_t i = 0; i < j->seen->n_stale; i++) {
		const struct ch_stale *s = &j->seen->stale[i];
		const char *rule = strcmp(s->source, "User") == 0 ? "UDR-3"
				   : faults_by(j, "RS-93") > 0    ? "RS-95"
								  : "RS-91";

		find(j, CH_INV_STALE, rule, "%s: route %s (%s) leads to %s, and %s is dead", s->nic,
		    s->prefix, s->source, s->next_hop, s->node);
	}
}

/* ---- the whole ---- */

static void
write_note(struct judge *j)
{
	const struct ch_seen *s = j->seen;
	const struct ch_lost *alone = NULL;
	bool all_itself = true;

	for (size_t i = 0; i < j->out->n_lost; i++) {
		const struct ch_lost *l = &j->out->lost[i];

		if (l->alone && (alone == NULL || (alone->itself && !l->itself)))
			alone = l;
		all_itself &= !l->alone || l->itself;
	}
	if (alone == NULL)
		return;
	if (all_itself)
		snprintf(j->out->note, sizeof(j->out->note), "%s itself is lost",
		    ch_is_broken(s->steps, s->n_steps, alone->src) ? alone->src : alone->dst);
	else if (s->n_steps > 1)
		snprintf(j->out->note, sizeof(j->out->note), "no third instance");
	else if (s->steps[0].b[0] != '\0')
		snprintf(j->out->note, sizeof(j->out->note), "no other way");
	else
		snprintf(
		    j->out->note, sizeof(j->out->note), "no second instance of %s", s->steps[0].a);
}

static void
judge_end(struct judge *j)
{
	const struct ch_seen *s = j->seen;

	if (!s->settled)
		find(j, CH_INV_SETTLES, "", "%s", s->why);
	else if (!s->returned)
		find(j, CH_INV_RETURNS, "", "%s", s->why);
	if (s->outage_us > s->bound_us)
		find(j, CH_INV_BLACKHOLE, ch_is_silent(s->steps, s->n_steps) ? "RS-91" : "RS-90",
		    "packets from %s: lost for %.1f s", s->outage, (double)s->outage_us / 1e6);
	if (s->return_us > s->bound_us)
		find(j, CH_INV_BLACKHOLE, "", "lost for %.1f s while it was repaired",
		    (double)s->return_us / 1e6);
}

void
ch_judge(struct ch_verdicts *out, const struct topo *t, const struct ch_seen *seen)
{
	struct judge j = { out, t, seen };
	size_t n = seen->after->n;

	*out = (struct ch_verdicts){ .rule = "" };
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			if (i == k)
				continue;
			if (seen->n_steps == 0)
				judge_rest(&j, i, k);
			else
				judge_pair(&j, i, k);
			if (i < k)
				judge_symmetry(&j, i, k);
		}
	judge_stale(&j);
	judge_end(&j);
	if (seen->n_steps > 0)
		out->rule = ch_rule_of_fault(t, &seen->steps[0]);
	write_note(&j);
}

void
ch_verdicts_fini(struct ch_verdicts *v)
{
	free(v->lost);
	free(v->findings);
	*v = (struct ch_verdicts){ 0 };
}
