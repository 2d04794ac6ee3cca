#ifndef FABRICD_FC_SWITCH_INT_H
#define FABRICD_FC_SWITCH_INT_H
/*
 * Inside of service Switch: fc_switch.c has the hosts and the streams of tables, fc_switch_report.c
 * those of reports.
 */
#include "fabricd/fc_switch.h"
#include "fabricd/wire_switch.h"

#define FC_SWITCH_CHANGES 64 /* updates whose acknowledgement becomes a stage of the timeline */

/* One stream that carries tables to a host. */
struct fc_switch_watch {
	struct fc_switch *sw;
	struct fc_switch_host *host;
	struct fab_rpc_stream *s;
	uint64_t started_us;
	struct fc_switch_watch *prev, *next;
};

/* One stream that carries a host's reports. */
struct fc_switch_reporter {
	struct fc_switch *sw;
	struct fc_switch_host *host; /* NULL: no hello yet, refused, or taken over */
	uint64_t started_us;
};

/* An update that was sent, and why. */
struct fc_switch_change {
	uint64_t generation;
	size_t told;
	char subject[FC_TIMELINE_NAME_MAX], text[FC_TIMELINE_TEXT_MAX];
};

struct fc_switch {
	struct fc *f;
	struct fc_image *image;
	struct wire_switch *wire;
	struct fab_post post;
	struct fc_switch_watch *watches;
	struct fc_switch_wait *waits;
	struct fc_switch_host *hosts;
	uint64_t first, generation;   /* of the image; starts at the clock */
	struct fc_switch_change next; /* the update that is due: its first reason */
	struct fc_switch_change
	    changes[FC_SWITCH_CHANGES]; /* generation g is at g % FC_SWITCH_CHANGES */
};

/* ---- fc_switch.c ---- */

/* Finds or adds; NULL: a bad name, or too many hosts. */
struct fc_switch_host *fc_switch_host_add(struct fc_switch *sw, const char *name);
void fc_switch_forget_nics(struct fc_switch_host *h);
/* What a hello says of its host. */
void fc_switch_take_hello(struct fc_switch_host *h, const Fab__V1__SwitchHello *hello);

/* ---- fc_switch_await.c ---- */

/* All that was touched is in the image, whose generation stands. */
void fc_switch_waits_arm(struct fc_switch *sw);
/* A host has acknowledged something, or is gone. */
void fc_switch_waits_check(struct fc_switch *sw);
void fc_switch_waits_free(struct fc_switch *sw);

/* ---- fc_switch_report.c ---- */

extern const struct fab_rpc_sink_ops fc_switch_report_ops;

#endif
