/*
 * The event log (see fc_events.h): a ring of pointers, each event one block of memory with its two
 * strings behind it.
 */
#include "fabricd/fc_events.h"

#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct fc_events {
	struct fc_event *ring[FC_EVENTS_MAX]; /* event seq is at seq % FC_EVENTS_MAX */
	uint64_t last, last_us;
	struct fc_event_sub *subs;
};

static const char *const kind_names[] = {
	[FC_EVENT_FAULT] = "fault",
	[FC_EVENT_NODE] = "node",
	[FC_EVENT_SESSION] = "session",
	[FC_EVENT_ROUTES] = "routes",
	[FC_EVENT_CONFIG] = "config",
	[FC_EVENT_PROBE] = "probe",
};
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == FC_EVENT_KIND_COUNT, "names");

const char *
fc_event_kind_name(enum fc_event_kind k)
{
	return kind_names[k];
}

int
fc_events_new(struct fc_events **out)
{
	struct fc_events *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return FAB_ENOMEM;
	*out = l;
	return FAB_OK;
}

void
fc_events_free(struct fc_events *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < FC_EVENTS_MAX; i++)
		free(l->ring[i]);
	free(l);
}

static struct fc_event *
event_new(const char *subject, const char *text)
{
	size_t ns = strlen(subject) + 1, nt = strlen(text) + 1;
	struct fc_event *e = malloc(sizeof(*e) + ns + nt);
	char *at;

	if (e == NULL)
		return NULL;
	at = (char *)(e + 1);
	e->subject = memcpy(at, subject, ns);
	e->text = memcpy(at + ns, text, nt);
	return e;
}

void
fc_events_add(struct fc_events *l, enum fc_event_kind kind, uint64_t at_us, const char *subject,
    const char *fmt, ...)
{
	char subj[FC_EVENT_SUBJ_MAX], text[FC_EVENT_TEXT_MAX];
	struct fc_event_sub *sub, *next;
	struct fc_event *e;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(subj, sizeof(subj), "%s", subject);
	if ((e = event_new(subj, text)) == NULL)
		return;
	e->kind = kind;
	/* Stamps come from many clocks; the log is in order all the same. */
	e->at_us = l->last_us = at_us > l->last_us ? at_us : l->last_us;
	e->seq = ++l->last;
	free(l->ring[e->seq % FC_EVENTS_MAX]);
	l->ring[e->seq % FC_EVENTS_MAX] = e;
	DL_FOREACH_SAFE (l->subs, sub, next)
		sub->fn(sub->ctx, e);
}

uint64_t
fc_events_last(const struct fc_events *l)
{
	return l->last;
}

const struct fc_event *
fc_events_after(const struct fc_events *l, uint64_t seq)
{
	uint64_t oldest = l->last > FC_EVENTS_MAX ? l->last - FC_EVENTS_MAX + 1 : 1;

	if (seq >= l->last)
		return NULL;
	return l->ring[(seq + 1 > oldest ? seq + 1 : oldest) % FC_EVENTS_MAX];
}

void
fc_events_subscribe(struct fc_events *l, struct fc_event_sub *sub)
{
	DL_APPEND(l->subs, sub);
}

void
fc_events_unsubscribe(struct fc_events *l, struct fc_event_sub *sub)
{
	DL_DELETE(l->subs, sub);
}
