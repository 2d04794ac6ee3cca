#ifndef FABCTL_CTL_H
#define FABCTL_CTL_H
/*
 * What the verbs of fabctl share: which fabric they talk to, one way to ask it, one way to answer
 * and one way to fail. A verb is a function of struct ctl and its words that returns the exit code.
 */
#include "fabctl/ctl_args.h"
#include "fabctl/ctl_out.h"
#include "lib/rpc.h"

#include <limits.h>
#include <stdbool.h>

enum ctl_exit {
	CTL_OK = 0,
	CTL_NO = 1,          /* the answer is no: a check or a wait failed */
	CTL_USAGE = 2,       /* the command line is wrong, or a file on it cannot be read */
	CTL_UNREACHABLE = 3, /* nobody answers there */
	CTL_REFUSED = 4      /* refused by validation */
};

#define CTL_CONNECT_MS 2000  /* for a connection to a fabric that should be there */
#define CTL_CALL_MS    30000 /* for an answer */

struct ctl {
	enum ctl_format format;
	char url[PATH_MAX];     /* of the fabric; "" when none is known */
	char run_dir[PATH_MAX]; /* of a local fabric; "" when it is not local */
	bool run_dir_given;     /* by the user, in one way or another */
	struct fab_loop *loop;  /* made by the first call */
	struct fab_rpc_client *client;
};

/* Sets format, url and run_dir from the options, FAB_URL and the last fabric started here. Returns
 * CTL_OK or the exit code after saying what is wrong. */
int ctl_init(struct ctl *c, const struct ctl_args *args);
/* --timing: NULL if not given; CTL_USAGE after saying that it is no profile. */
int ctl_timing_option(const char **out, const struct ctl_args *args);
void ctl_fini(struct ctl *c);

/* One line on standard error, "fabctl: CODE: what, and what to do", control characters replaced.
 * Returns status. */
int ctl_fail(enum ctl_exit status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an answer of fabricd that is not OK. */
int ctl_fail_rpc(enum fab_rpc_status status, const char *why);

/* There is a local fabricd and it is neither dead nor paused. */
bool ctl_fabricd_runs(const struct ctl *c);

/* Opens the connection (in the background). CTL_UNREACHABLE at once if no fabric is known, or its
 * socket does not exist. */
int ctl_connect(struct ctl *c);
/* The same for a fabric that is just being started: its socket may not be there yet. */
int ctl_connect_later(struct ctl *c);
/* Asks fabricd and waits. On CTL_OK *reply is the caller's (ctl_reply_free()); otherwise said why.
 */
int ctl_call(
    struct ctl *c, const char *method, const ProtobufCMessage *req, ProtobufCMessage **reply);
/* The same on an open connection, without words: why[] receives the message. */
enum fab_rpc_status ctl_ask(struct ctl *c, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *req, uint32_t timeout_ms, uint32_t wait_ms,
    ProtobufCMessage **reply, char why[static 256]);
void ctl_reply_free(ProtobufCMessage *reply);
/* A reply as what the method's descriptor says it is. */
#define CTL_REPLY(type, reply) ((const type *)(const void *)(reply))

/* Prints the answer and gives up value. CTL_OK, or CTL_NO after saying that it cannot be written.
 */
int ctl_answer(const struct ctl *c, json_t *value, const struct ctl_view *view);

/* Text of a file, malloc()ed, at most max octets. CTL_OK, or the exit code after saying why. */
int ctl_read_file(char **out, size_t *len, const char *path, size_t max);

/* A line about long work, overwritten by the next; only on a terminal. NULL clears it. */
void ctl_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Values of link options: "20ms", "1%", "100mbit", "0". FAB_EINVAL. */
int ctl_link_delay(uint32_t *us, const char *text);
int ctl_link_loss(uint32_t *ppm, const char *text);
int ctl_link_rate(uint64_t *bits, const char *text);

/* ---- the verbs, by file ---- */

#define CTL_VERB(name) int ctl_##name(struct ctl *c, const struct ctl_args *args)

CTL_VERB(up); /* ctl_up.c */
CTL_VERB(down);
CTL_VERB(check); /* ctl_resource.c */
CTL_VERB(apply);
CTL_VERB(diff);
CTL_VERB(get);
CTL_VERB(set);
CTL_VERB(delete);
CTL_VERB(ps);   /* ctl_ps.c */
CTL_VERB(kill); /* ctl_fault.c */
CTL_VERB(pause);
CTL_VERB(resume);
CTL_VERB(stop);
CTL_VERB(start);
CTL_VERB(restart);
CTL_VERB(link_cut); /* ctl_link.c */
CTL_VERB(link_restore);
CTL_VERB(link_set);
CTL_VERB(link_clear);
CTL_VERB(link_list);
CTL_VERB(link_get);
CTL_VERB(routes_effective); /* ctl_routes.c */
CTL_VERB(routes_learned);
CTL_VERB(routes_peers);
CTL_VERB(routes_advertised);
CTL_VERB(gateway_learned);
CTL_VERB(gateway_advertised);
CTL_VERB(gateway_peers);
CTL_VERB(circuit_routes);
CTL_VERB(router_routes);
CTL_VERB(nexthop); /* ctl_path.c */
CTL_VERB(explain);
CTL_VERB(trace);
CTL_VERB(exec); /* ctl_packets.c */
CTL_VERB(nics); /* ctl_nics.c */
CTL_VERB(backends);
CTL_VERB(metrics); /* ctl_metrics.c */
CTL_VERB(probe);   /* ctl_probe.c */
CTL_VERB(capture); /* ctl_capture.c */
CTL_VERB(wait);    /* ctl_events.c */
CTL_VERB(events);
CTL_VERB(timeline);
CTL_VERB(health);
CTL_VERB(test);    /* ctl_test.c */
CTL_VERB(chaos);   /* ctl_chaos.c */
CTL_VERB(compose); /* ctl_compose.c */
CTL_VERB(help);    /* ctl_main.c */

/* The table of all of them and main(), in ctl_main.c. */
extern const struct ctl_cmd ctl_commands[];
int ctl_main(int argc, char **argv);

#endif
