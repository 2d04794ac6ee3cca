#include "fabctl/ch_watch.h"

#include <stdio.h>
#include <string.h>

static const char *const verdicts[] = { "delivered", "loop", "blackhole", "filtered" };

const char *
ch_verdict_name(enum ch_verdict v)
{
	return verdicts[v];
}

enum ch_verdict
ch_verdict_parse(const char *word)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (strcmp(word, verdicts[i]) == 0)
			return (enum ch_verdict)i;
	return CH_BLACKHOLE;
}

int
ch_watch_end(struct ch_watch *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->names[i], name) == 0)
			return (int)i;
	if (w->n == CH_ENDS_MAX)
		return -1;
	snprintf(w->names[w->n], CH_END_MAX, "%s", name);
	return (int)w->n++;
}

static void
begin(struct ch_loss *l, const struct ch_look *look, uint64_t at_us)
{
	l->since_us = at_us;
	l->looped |= look->verdict == CH_LOOP;
	if (l->rule[0] != '\0' || l->reason[0] != '\0')
		return;
	snprintf(l->rule, sizeof(l->rule), "%s", look->rule);
	snprintf(l->reason, sizeof(l->reason), "%s", look->reason);
}

void
ch_watch_take(struct ch_watch *w, int src, int dst, const struct ch_look *look, uint64_t at_us)
{
	struct ch_loss *l = &w->loss[src][dst];

	w->now[src][dst] = *look;
	if (look->verdict == CH_DELIVERED && l->since_us != 0) {
		l->lost_us += at_us > l->since_us ? at_us - l->since_us : 0;
		l->since_us = 0;
	} else if (look->verdict != CH_DELIVERED && l->since_us == 0) {
		begin(l, look, at_us);
	} else {
		l->looped |= look->verdict == CH_LOOP;
	}
}

void
ch_watch_restart(struct ch_watch *w, uint64_t at_us)
{
	memset(w->loss, 0, sizeof(w->loss));
	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < w->n; k++)
			if (i != k && w->now[i][k].verdict != CH_DELIVERED)
				begin(&w->loss[i][k], &w->now[i][k], at_us);
}

uint64_t
ch_loss_us(const struct ch_loss *l, uint64_t now_us)
{
	return l->lost_us + (l->since_us != 0 && now_us > l->since_us ? now_us - l->since_us : 0);
}
