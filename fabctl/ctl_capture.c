/* What a NIC sends and gets, live: as lines, or as a pcapng file with the reason of each drop. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_packet.h"
#include "fabctl/ctl_pcapng.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "proto/capture.pb-c.h"
#include "proto/fabric.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URL_MAX 256

struct capture {
	const struct ctl *c;
	struct fab_loop *loop;
	const char *nic;
	const char *path; /* of the file; NULL: lines */
	FILE *fp;
	uint64_t max; /* packets; 0: until interrupted */
	uint64_t seen, lost;
	bool told; /* that it runs */
	int status;
};

/* ---- which vswitchd ---- */

/* The host that says that the NIC is plugged in there; "" if none does, or it is no NIC of a VM or
 * NVA (Route Servers, gateways and sites have some too). */
static void
host_of(struct ctl *c, const char *nic, char out[static URL_MAX])
{
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	ProtobufCMessage *reply;
	char why[256];

	out[0] = '\0';
	req.nic = (char *)(uintptr_t)nic;
	if (ctl_ask(c, &fab__v1__fabric__descriptor, "Nics", &req.base, CTL_CALL_MS, CTL_CONNECT_MS,
		&reply, why) != FAB_RPC_OK)
		return;
	if (CTL_REPLY(Fab__V1__NicList, reply)->n_value > 0)
		snprintf(out, URL_MAX, "%s", CTL_REPLY(Fab__V1__NicList, reply)->value[0]->host);
	ctl_reply_free(reply);
}

static int
find_switch(struct ctl *c, const char *nic, char url[static URL_MAX])
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	const Fab__V1__NodeList *nodes;
	ProtobufCMessage *reply;
	char host[URL_MAX];
	int status;

	if ((status = ctl_call(c, "Ps", &req.base, &reply)) != CTL_OK)
		return status;
	host_of(c, nic, host);
	url[0] = '\0';
	nodes = CTL_REPLY(Fab__V1__NodeList, reply);
	for (size_t i = 0; i < nodes->n_nodes; i++) {
		const Fab__V1__NodeInfo *n = nodes->nodes[i];

		if (strcmp(n->kind, "vswitch") == 0 && strcmp(n->state, "running") == 0 &&
		    n->n_endpoints > 0 && (host[0] == '\0' || strcmp(host, n->name) == 0))
			snprintf(url, URL_MAX, "%s", n->endpoints[0]);
	}
	ctl_reply_free(reply);
	return url[0] != '\0' ? CTL_OK
			      : ctl_fail(CTL_REFUSED, "NOPACKETS",
				    "no vswitchd runs here; 'fabctl up --packets on' starts one");
}

/* ---- packets ---- */

static void
finish(struct capture *k, int status)
{
	if (k->status == CTL_OK)
		k->status = status;
	fab_loop_stop(k->loop);
}

static int
put_line(const struct capture *k, const Fab__V1__CapturedPacket *p)
{
	char at[32], text[CTL_PACKET_TEXT];
	json_t *v;

	ctl_time_text(at, sizeof(at), p->at_us);
	ctl_packet_text(text, p->data.data, p->data.len);
	if (k->c->format == CTL_TABLE) {
		if (p->lost > 0)
			printf("%s      (%" PRIu64 " packets missed)\n", at, p->lost);
		printf("%s  %-3s  %s%s%s\n", at, p->from_guest ? "out" : "in", text,
		    p->drop[0] != '\0' ? "  DROPPED: " : "", p->drop);
		return fflush(stdout) == 0 ? FAB_OK : FAB_EIO;
	}
	v = json_pack("{s:I, s:s, s:s, s:s, s:I, s:I}", "at_us", (json_int_t)p->at_us, "direction",
	    p->from_guest ? "out" : "in", "text", text, "drop", p->drop, "octets",
	    (json_int_t)p->size, "missed", (json_int_t)p->lost);
	FAB_ASSERT(v != NULL);
	if (k->c->format == CTL_YAML)
		fputs("--- ", stdout);
	text[0] = '\0';
	if (ctl_json_line(stdout, v) != FAB_OK)
		text[0] = '!';
	json_decref(v);
	return text[0] == '\0' ? FAB_OK : FAB_EIO;
}

static int
put_block(const struct capture *k, const Fab__V1__CapturedPacket *p)
{
	char comment[64] = "";
	const struct ctl_pcapng_packet out = { .at_us = p->at_us,
		.from_guest = p->from_guest,
		.lost = p->lost,
		.comment = comment,
		.size = p->size,
		.data = p->data.data,
		.len = p->data.len };

	if (p->drop[0] != '\0')
		snprintf(comment, sizeof(comment), "dropped: %.40s", p->drop);
	return ctl_pcapng_packet(k->fp, &out);
}

static void
put_packet(struct capture *k, const Fab__V1__CapturedPacket *p)
{
	k->seen++;
	k->lost += p->lost;
	if ((k->path == NULL ? put_line(k, p) : put_block(k, p)) != FAB_OK)
		finish(
		    k, ctl_fail(CTL_NO, "WRITE", "cannot write the packets: %s", strerror(errno)));
	else if (k->max > 0 && k->seen == k->max)
		finish(k, CTL_OK);
}

static void
packets_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__CapturedPackets *m = CTL_REPLY(Fab__V1__CapturedPackets, item);
	struct capture *k = ctx;

	if (info->snapshot_end && !k->told)
		fprintf(stderr, "fabctl: capturing %s; Ctrl-C ends\n", k->nic);
	k->told |= info->snapshot_end;
	for (size_t i = 0; m != NULL && i < m->n_packets && !fab_loop_stopping(k->loop); i++)
		put_packet(k, m->packets[i]);
	if (k->path != NULL && fflush(k->fp) != 0)
		finish(
		    k, ctl_fail(CTL_NO, "WRITE", "cannot write %s: %s", k->path, strerror(errno)));
}

static void
packets_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct capture *k = ctx;

	if (status !=
	    FAB_RPC_UNAVAILABLE) /* else vswitchd is away; the stream opens itself again */
		finish(k, ctl_fail_rpc(status, message));
}

/* ---- the verb ---- */

static int
run(struct capture *k, const char *url)
{
	static const struct fab_rpc_sub_ops ops = { .item = packets_item, .ended = packets_ended };
	Fab__V1__CaptureRequest req = FAB__V1__CAPTURE_REQUEST__INIT;
	struct fab_rpc_client *client = NULL;
	struct fab_rpc_sub *sub = NULL;

	req.nic = (char *)(uintptr_t)k->nic;
	if (fab_rpc_client_new(&client, k->loop, url, NULL, NULL, NULL) != FAB_OK)
		return ctl_fail(CTL_UNREACHABLE, "URL", "cannot connect to %s", url);
	if (fab_loop_handle_signals(k->loop) != FAB_OK ||
	    fab_rpc_subscribe(
		&sub, client, &fab__v1__capture__descriptor, "Watch", &req.base, &ops, k) != FAB_OK)
		k->status = ctl_fail(CTL_NO, "MEMORY", "cannot open the stream of packets");
	else
		fab_loop_run(k->loop);
	fab_rpc_sub_free(sub);
	fab_rpc_client_free(client);
	return k->status;
}

static int
open_file(struct capture *k)
{
	if (k->path == NULL)
		return CTL_OK;
	if (strcmp(k->path, "-") == 0 && isatty(STDOUT_FILENO))
		return ctl_fail(CTL_USAGE, "USAGE", "not to a terminal: -w - is for a pipe");
	k->fp = strcmp(k->path, "-") == 0 ? stdout : fopen(k->path, "we");
	if (k->fp == NULL)
		return ctl_fail(CTL_USAGE, "FILE", "cannot write %s: %s", k->path, strerror(errno));
	if (ctl_pcapng_begin(k->fp, k->nic, "fabctl " FAB_VERSION) == FAB_OK && fflush(k->fp) == 0)
		return CTL_OK;
	return ctl_fail(CTL_NO, "WRITE", "cannot write %s: %s", k->path, strerror(errno));
}

static int
close_file(struct capture *k)
{
	bool failed;

	if (k->fp == NULL)
		return k->status;
	failed =
	    k->status == CTL_OK && ctl_pcapng_end(k->fp, fab_wall_us(), k->seen, k->lost) != FAB_OK;
	failed |= k->fp == stdout ? fflush(stdout) != 0 : fclose(k->fp) != 0;
	if (failed && k->status == CTL_OK)
		k->status =
		    ctl_fail(CTL_NO, "WRITE", "cannot write %s: %s", k->path, strerror(errno));
	return k->status;
}

static int
read_count(const char *text, uint64_t *out)
{
	char *end;

	if (text == NULL)
		return CTL_OK;
	*out = strtoull(text, &end, 10);
	if (text[0] >= '1' && text[0] <= '9' && *end == '\0')
		return CTL_OK;
	return ctl_fail(CTL_USAGE, "USAGE", "--count '%s' is not a number from 1 on", text);
}

int
ctl_capture(struct ctl *c, const struct ctl_args *args)
{
	struct capture k = { .c = c, .nic = args->pos[0], .path = args->opt[CTL_OPT_WRITE] };
	char url[URL_MAX];
	int status;

	if ((status = read_count(args->opt[CTL_OPT_COUNT_N], &k.max)) != CTL_OK ||
	    (status = find_switch(c, k.nic, url)) != CTL_OK || (status = open_file(&k)) != CTL_OK)
		return status;
	k.loop = c->loop;
	run(&k, url);
	status = close_file(&k);
	if (status == CTL_OK)
		fprintf(
		    stderr, "fabctl: %" PRIu64 " packets, %" PRIu64 " missed\n", k.seen, k.lost);
	return status;
}
