#ifndef LIB_NODE_H
#define LIB_NODE_H
/*
 * What every daemon but fabricd is made of: command line, loop, RPC server with Node and Speaker,
 * the watch on its configuration and the stream of its reports. A daemon starts with three facts
 * (--fabric URL --name NAME [--listen URL]), asks fabricd for the rest and can be killed at any
 * moment.
 */
#include "lib/args.h"
#include "lib/rpc.h"
#include "proto/control.pb-c.h"
#include "proto/node.pb-c.h"

struct node;

#define NODE_OWN_MAX 8

/* An option with a value that only one daemon has. */
struct node_own_option {
	const char *name;  /* "attach" */
	const char *value; /* "PATH" */
	const char *help;
};

struct node_options {
	const char *fabric_url;
	const char *name;
	const char *listen_url;        /* NULL: serves nobody */
	const char *role;              /* --role WORD, daemons that have roles; NULL otherwise */
	const char *own[NODE_OWN_MAX]; /* values of ops->options, in their order; NULL: not given */
	struct fab_args args;
};

/* What a daemon implements; every function is called on the loop. */
struct node_ops {
	const char *program;                   /* "routeserverd" */
	const char *const *roles;              /* words --role accepts, NULL-terminated; or NULL */
	const struct node_own_option *options; /* ended by a row without a name; or NULL */
	/* Creates the daemon's state; *ctx is passed to the others. FAB_EINVAL: the command line is
	 * wrong, FAB_ENOTSUP: what it asks for is not possible here; both after an own message. */
	int (*start)(struct node *n, void **ctx);
	/* For a daemon that has a service of its own with fabricd: opens its streams in place of
	 * Control's, so config and snapshot are not called. client is valid until stop() has
	 * returned. kind is what Health says. NULL: Control. */
	int (*connect)(void *ctx, struct fab_rpc_client *client);
	Fab__V1__NodeKind kind;
	/* A new configuration. Applies the difference; sessions that did not change stay up. */
	void (*config)(void *ctx, const Fab__V1__NodeConfig *conf);
	/* Writes sessions, routes and status with fab_rpc_stream_put(): the snapshot of the report
	 * stream. The library has written `hello` already. */
	void (*snapshot)(void *ctx, struct fab_rpc_stream *s);
	/* Adds counters to a Stats reply; may be NULL. */
	void (*stats)(
	    void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg);
	/* Text for Dump, malloc()ed; may be NULL. */
	char *(*dump)(void *ctx);
	/* May be NULL. The error becomes the status, see fab_rpc_status_of(). */
	int (*fault)(void *ctx, const Fab__V1__FaultRequest *req);
	bool (*converged)(void *ctx);
	void (*stop)(void *ctx); /* close sessions with Cease, free everything */
};

/* main() of a daemon: parses argv, runs until SIGTERM or SIGINT, returns the exit code (0 clean
 * stop, 2 usage, 3 cannot listen, 4 not possible here). --help and --version answer by themselves.
 */
int node_main(int argc, char **argv, const struct node_ops *ops);

struct fab_loop *node_loop(struct node *n);
const char *node_name(const struct node *n);
const struct node_options *node_options(const struct node *n);
/* From start(): registers another service on the listen URL. */
int node_serve(struct node *n, const ProtobufCServiceDescriptor *service,
    const struct fab_rpc_handler *table, void *ctx);
/* Sends one report item; dropped while the stream is out of sync (the snapshot will tell). */
void node_report(struct node *n, const Fab__V1__ReportItem *item);

/* ---- the parts of node_main(), for tests ---- */

/* The strings of out point into argv. Prints help, version or one line about what is wrong. */
enum fab_args_verdict node_parse(
    struct node_options *out, int argc, char **argv, const struct node_ops *ops);
/* Starts everything on loop; options and what they point to must stay valid. why receives the
 * reason of a failure; empty: start() has said it. */
int node_new(struct node **out, struct fab_loop *loop, const struct node_options *options,
    const struct node_ops *ops, char why[static 256]);
void node_free(struct node *n); /* NULL is fine */

/* Rows of the Node service; ctx is the struct node. */
extern const struct fab_rpc_handler node_table[];

#endif
