#ifndef FABRICD_FC_EVENTS_H
#define FABRICD_FC_EVENTS_H
/*
 * The event log: the last FC_EVENTS_MAX things that happened, numbered 1, 2, 3 ... since fabricd
 * started. It lives in memory only. Readers ask for what they have not seen by number and may
 * subscribe to what comes.
 */
#include <stddef.h>
#include <stdint.h>

#define FC_EVENTS_MAX     10000
#define FC_EVENT_TEXT_MAX 512 /* octets of a text; longer ones are cut */
#define FC_EVENT_SUBJ_MAX 128

struct fc_events;

enum fc_event_kind { /* proto/fabric.proto, Event.kind */
	FC_EVENT_FAULT,
	FC_EVENT_NODE,
	FC_EVENT_SESSION,
	FC_EVENT_ROUTES,
	FC_EVENT_CONFIG,
	FC_EVENT_PROBE,
	FC_EVENT_KIND_COUNT
};

const char *fc_event_kind_name(enum fc_event_kind k); /* "fault" */

struct fc_event {
	uint64_t seq, at_us;
	enum fc_event_kind kind;
	const char *subject; /* node, session or resource */
	const char *text;
};

int fc_events_new(struct fc_events **out);
void fc_events_free(struct fc_events *l);

/* Appends an event stamped at_us, or as the one before if that is later; the oldest one gives way.
 * Out of memory: the event is lost, its number is not given out. */
void fc_events_add(struct fc_events *l, enum fc_event_kind kind, uint64_t at_us,
    const char *subject, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Number of the newest event, 0 if there is none. */
uint64_t fc_events_last(const struct fc_events *l);
/* The oldest event kept whose number is greater than seq; NULL: none. Valid until the next add. */
const struct fc_event *fc_events_after(const struct fc_events *l, uint64_t seq);

/* Calls fn with each new event, after it was added. The storage is the subscriber's; zero it. */
struct fc_event_sub {
	void (*fn)(void *ctx, const struct fc_event *e);
	void *ctx;
	struct fc_event_sub *prev, *next;
};
void fc_events_subscribe(struct fc_events *l, struct fc_event_sub *sub);
void fc_events_unsubscribe(struct fc_events *l, struct fc_event_sub *sub);

#endif
