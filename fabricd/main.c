/*
 * fabricd: the platform of a fabric. Start-up and end; everything else is in the modules.
 */
#include "fabricd/fc.h"
#include "fabricd/fc_api.h"
#include "fabricd/fc_apply.h"
#include "fabricd/fc_args.h"
#include "fabricd/fc_control.h"
#include "fabricd/fc_switch.h"
#include "lib/err.h"
#include "lib/version.h"
#include "proto/control.pb-c.h"
#include "proto/fabric.pb-c.h"
#include "proto/node.pb-c.h"
#include "proto/switch.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LAST_WORDS_MS 500 /* at exit, for what was sent but not read yet */

enum { EXIT_OK = 0, EXIT_CANNOT = 3, EXIT_REFUSED = 4 };

static int
cannot(const char *what, const char *why)
{
	fprintf(stderr, "fabricd: %s: %s\n", what, why);
	return EXIT_CANNOT;
}

/* The topology with --timing PROFILE into an empty store; all that is wrong with it, one line each.
 */
static int
apply_first(struct fc *f, const struct fc_options *o)
{
	const char *path = o->topology;
	struct fc_apply_result *r = fc_apply_result_new();
	int err = r == NULL ? FAB_ENOMEM : fc_apply_first(f, path, o->topology_text, o->timing, r);
	int status = err == FAB_OK ? EXIT_OK : EXIT_REFUSED;

	for (size_t i = 0; r != NULL && i < r->errors.n; i++) {
		const struct topo_error *e = &r->errors.e[i];

		if (e->line > 0)
			fprintf(stderr, "%s:%u: %s: %s\n", path, e->line, e->code, e->message);
		else
			fprintf(stderr, "%s: %s: %s\n", path, e->code, e->message);
	}
	if (err != FAB_OK && (r == NULL || r->errors.n == 0))
		status = cannot(path, r == NULL ? fab_strerror(err) : r->why);
	fc_apply_result_free(r);
	return status;
}

static int
serve(struct fab_rpc_server **out, struct fc *f, const struct fc_options *o)
{
	struct fab_rpc_server *s = NULL;
	int err = fab_rpc_server_new(&s, f->loop);

	if (err == FAB_OK)
		err = fab_rpc_server_add(s, &fab__v1__fabric__descriptor, fc_api_table, f);
	if (err == FAB_OK)
		err = fab_rpc_server_add(s, &fab__v1__control__descriptor, fc_control_table, f);
	if (err == FAB_OK)
		err = fab_rpc_server_add(s, &fab__v1__node__descriptor, fc_self_table, f);
	if (err == FAB_OK)
		err = fab_rpc_server_add(s, &fab__v1__switch__descriptor, fc_switch_table, f);
	if (err == FAB_OK)
		err = fab_rpc_server_listen(s, o->listen_url, fab_args_tls(&o->args));
	if (err != FAB_OK) {
		fab_rpc_server_free(s);
		return err;
	}
	*out = s;
	return FAB_OK;
}

static int
run(struct fc *f, const struct fc_options *o)
{
	struct fab_rpc_server *server;
	char why[FC_STORE_WHY_MAX];
	int status, err;

	if (fc_open(f, o->store, why) != FAB_OK)
		return cannot(o->store, why);
	if (o->topology != NULL && fc_empty(f) && (status = apply_first(f, o)) != EXIT_OK)
		return status;
	if ((err = serve(&server, f, o)) != FAB_OK)
		return cannot(o->listen_url, fab_strerror(err));
	fab_info("fabricd %s, pid %d, listening on %s, store %s: %zu resources", fab_version(),
	    (int)getpid(), o->listen_url, o->store, f->doc->n);
	fab_loop_run(f->loop);
	fab_info("stopping");
	fab_rpc_server_free(server); /* tells f of the end of every stream */
	return EXIT_OK;
}

int
main(int argc, char **argv)
{
	struct fc_options o;
	struct fc_conf conf = { 0 };
	struct fab_loop *loop = NULL;
	struct fc *f = NULL;
	int status;

	switch (fc_args_parse(&o, argc, argv)) {
	case FAB_ARGS_EXIT_OK:
		return 0;
	case FAB_ARGS_EXIT_USAGE:
		return 2;
	case FAB_ARGS_RUN:
		break;
	}
	fab_log_init(FC_NAME, o.args.level);
	conf.urls.bgp = o.bgp_url;
	conf.urls.node = o.node_url[0] == '\0' ? NULL : o.node_url;
	conf.urls.packets = o.packets;
	conf.listen_url = o.listen_url;
	conf.tls = fab_args_tls(&o.args);
	if (fab_loop_new(&loop) != FAB_OK || fab_loop_handle_signals(loop) != FAB_OK ||
	    fc_new(&f, loop, &conf) != FAB_OK)
		status = cannot("start", "out of memory");
	else
		status = run(f, &o);
	fc_free(f);
	if (loop != NULL) {
		fab_loop_drain(loop, LAST_WORDS_MS);
		fab_loop_free(loop);
	}
	return status;
}
