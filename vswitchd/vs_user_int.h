#ifndef VSWITCHD_VS_USER_INT_H
#define VSWITCHD_VS_USER_INT_H
/*
 * Inside of the userspace engine: vs_user.c has the thread, its ports and errands, vs_user_way.c
 * the way of a packet.
 */
#include "vswitchd/vs_delay.h"
#include "vswitchd/vs_frame.h"
#include "vswitchd/vs_hints.h"
#include "vswitchd/vs_idmap.h"
#include "vswitchd/vs_port.h"

#include <pthread.h>
#include <uthash.h>

struct user_port {
	struct vs_port p; /* first */
	UT_hash_handle hh;
	struct user_port *prev, *next; /* of those that the engine has */
};

struct errand; /* vs_user.c */

struct vs_user {
	struct vs_engine engine; /* first */
	struct vs_model *model;
	int epoll, wake;
	pthread_t thread;

	struct user_port *ports;   /* by name; loop thread */
	struct user_port trunk;    /* fd < 0: none */
	struct user_port platform; /* likewise */
	struct vs_hints *hints;    /* NULL: nobody wants to know */

	pthread_mutex_t lock; /* around errand */
	pthread_cond_t done;
	struct errand *errand;
	_Atomic bool waiting;

	/* Engine's thread. */
	struct vs_delay *delay; /* frames on slow links */
	struct user_port *taken;
	struct vs_idmap by_id;   /* struct vs_port, of the taken ones that the model has */
	struct vs_idmap by_slot; /* struct vs_port, of the taken ones at the trunk */
	uint64_t revision;       /* of the model's ports that by_id was made from */
	bool end;
	uint8_t frame[VS_FRAME_MAX + 1]; /* one more: too long is seen */
	uint8_t shown[VS_FRAME_MAX + 1]; /* as it was read, of a port that is captured */
};

/* ---- vs_user_way.c; engine's thread ---- */

/* Which port of the model the interface is from now on; between the model's lock and unlock, after
 * vs_user_rebind(). */
void vs_user_bind(struct vs_user *u, struct vs_port *p);
void vs_user_unbind(struct vs_user *u, struct vs_port *p);
/* An update may have given a name another id. Between the model's lock and unlock. */
void vs_user_rebind(struct vs_user *u);

/* A burst of frames that p has. The rest waits for the port's next turn: epoll reports it again,
 * behind the others. */
void vs_user_serve(struct vs_user *u, struct vs_port *p);

/* Writes a frame to a port, and counts what became of it; see vs_delay_send_fn. */
void vs_user_send(struct vs_port *from, struct vs_port *to, uint8_t *frame, size_t len);

#endif
