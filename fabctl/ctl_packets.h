#ifndef FABCTL_CTL_PACKETS_H
#define FABCTL_CTL_PACKETS_H
/*
 * The packets of a local fabric: vswitchd, which moves them, and one fabattach, which holds the
 * network namespaces of all VMs and NVAs ("guests"). Both are processes of the run directory like
 * those of the topology's nodes.
 *
 *   RUN_DIR/vswitchd.attach   where guests are plugged in
 *   RUN_DIR/guests.list       which guests there are
 *   RUN_DIR/guests/NAME       link to a guest's network namespace
 *   RUN_DIR/guests/vswitchd   link to the one that vswitchd stands in
 */
#include "fabctl/ctl.h"
#include "lib/clock.h"
#include "lib/topo.h"
#include "proto/fabric.pb-c.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether there are to be packets: word is auto, on or off, NULL for FAB_PACKETS or auto. With auto
 * says on standard error why there are none. *rootless: only in a user namespace. CTL_OK, or the
 * exit code after saying why not. */
int ctl_packets_choose(bool *on, bool *rootless, const char *word, const struct topo *t);

/* The engine that vswitchd is to have: word, else FAB_ENGINE, else NULL, its own choice. CTL_OK, or
 * the exit code after saying that there is none of that name. */
int ctl_packets_engine(const char **engine, const char *word);
/* Command lines of the two; CTL_OK or the exit code after saying what is missing. */
int ctl_packets_argv(json_t **vswitchd, json_t **guests, const char *run_dir, const char *engine);
/* Starts both: vswitchd in a namespace that the other one makes, where the engine may have as many
 * interfaces as it likes. CTL_OK or the exit code. */
int ctl_packets_start(json_t *vswitchd, json_t *guests, const char *run_dir, const struct topo *t);
bool ctl_packets_are_on(const char *run_dir);
/* With packets, after a change of resources: makes namespaces of new guests, lets go those that
 * have gone. */
int ctl_packets_follow(const char *run_dir, const struct topo *t);

/* Waits until the guests of all nodes are there that are to stand in one; CTL_OK or the exit code
 * after saying which is missing. */
int ctl_guests_await(const char *run_dir, const struct topo *t);
/* After the guests were made anew: starts again what lived in them. CTL_OK or the exit code. */
int ctl_guests_refill(const char *run_dir);
/* Descriptor of a guest's network namespace, the caller's. FAB_ENOENT. */
int ctl_guest_find(int *out, const char *run_dir, const char *name);
/* The same for a user. Otherwise says why, and what to do, and
 * returns the exit code. */
int ctl_guest_open(int *out, const struct ctl *c, const char *name);
/* Waits until a guest's namespace is there, or has gone; CTL_OK or the exit code, with words. */
int ctl_guest_await(const char *run_dir, const char *name, bool there);
/* SIGKILL to all that live in the network namespace with this inode, until nobody does. Returns how
 * many there were. */
size_t ctl_guest_end_all(ino_t netns);
/* Ends what runs in the guests' namespaces, so that these can go: SIGTERM, later SIGKILL. */
void ctl_guests_clear(const char *run_dir);

/* The first one that is to be plugged in and is not, in out; off: names of those without power, may
 * be NULL. False: there is none. */
bool ctl_guest_missing(const Fab__V1__NicList *list, const json_t *off, char out[static 64]);
/* Waits until every guest that is not off is plugged in, where a local vswitchd and the guests run;
 * else there is nothing to wait for. False: not by then, missing is one of them. */
bool ctl_guests_attached(
    struct ctl *c, struct fab_mono since, uint32_t timeout_ms, char missing[static 64]);

#endif
