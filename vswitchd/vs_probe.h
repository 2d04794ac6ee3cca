#ifndef VSWITCHD_VS_PROBE_H
#define VSWITCHD_VS_PROBE_H
/*
 * One health probe: a connection that the platform opens to a backend, by hand. Over TCP it is
 * enough that somebody takes it; over HTTP the answer to a GET has to be 200. Then it is closed
 * from our side, as a client would that has what it wanted. And what many of them in a row say.
 *
 * No clock, no descriptor: whoever runs it (vs_prober.c) passes in what came and when time is up,
 * and is told what to send.
 */
#include "vswitchd/vs_segment.h"

#define VS_PROBE_WHY_MAX  96
#define VS_PROBE_PATH_MAX 256 /* with NUL */
#define VS_PROBE_STATUS   12  /* octets of "HTTP/1.1 200" */

struct vs_probe_conf {
	uint32_t ip; /* of the backend */
	uint16_t port;
	bool http;
	char path[VS_PROBE_PATH_MAX];
};

enum vs_probe_state {
	VS_PROBE_IDLE,
	VS_PROBE_SYN_SENT,
	VS_PROBE_ASKED,   /* HTTP: the request is sent */
	VS_PROBE_CLOSING, /* our FIN is sent, the backend's is due */
	VS_PROBE_STATE_COUNT
};

/* SHUT: it said no, so clearly that over HTTP nobody asks again (a reset, another status). */
enum vs_probe_result { VS_PROBE_PENDING, VS_PROBE_OK, VS_PROBE_FAILED, VS_PROBE_SHUT };

struct vs_probe {
	struct vs_probe_conf conf;
	enum vs_probe_state state;
	enum vs_probe_result result;
	char why[VS_PROBE_WHY_MAX]; /* it failed */
	uint16_t sport;
	uint32_t next, heard;             /* our next number; theirs */
	char status[VS_PROBE_STATUS + 1]; /* HTTP: what came of the answer's beginning */
	size_t n_status;
	void (*send)(void *ctx, const struct vs_segment *s);
	void *ctx;
};

/* send and ctx are set. Resets what is left of the last one. seq is any number, sport another one
 * than of late. */
void vs_probe_start(
    struct vs_probe *p, const struct vs_probe_conf *conf, uint16_t sport, uint32_t seq);
/* A segment from the backend; what belongs to no probe is ignored. */
void vs_probe_input(struct vs_probe *p, const struct vs_segment *s);
/* Nothing came for a while: says it again. */
void vs_probe_again(struct vs_probe *p);
/* Time is up: what is pending has failed, because of why. */
void vs_probe_expire(struct vs_probe *p, const char *why);

/* ---- what many of them say ---- */

enum vs_health_state { VS_HEALTH_UNKNOWN, VS_HEALTH_UP, VS_HEALTH_DOWN };

struct vs_health {
	enum vs_health_state state;
	bool last;    /* the last probe was fine */
	unsigned run; /* so many in a row say the same */
};

/* Whether the state changes: after `threshold` results that say the same, or at once. */
bool vs_health_note(struct vs_health *h, bool fine, unsigned threshold, bool at_once);

#endif
