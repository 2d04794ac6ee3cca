/* The verbs that follow a packet. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_link.h"
#include "lib/err.h"
#include "lib/pbjson.h"

#include <stdint.h>
#include <string.h>

int
ctl_nexthop(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Next Hop Type", "nextHopType" },
		{ "Next Hop IP", "nextHopIpAddress" },
		{ "Route Table", "routeTableId" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns };
	Fab__V1__NicAddressRequest req = FAB__V1__NIC_ADDRESS_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	req.nic = (char *)(uintptr_t)args->pos[0];
	req.address = (char *)(uintptr_t)args->pos[1];
	if ((status = ctl_call(c, "NextHop", &req.base, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_CAMEL, NULL);
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}

int
ctl_explain(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Source", "source" },
		{ "Prefix", "prefix" },
		{ "Next Hop", "nextHop" },
		{ "Verdict", "verdict" },
		{ "Rule", "rule" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = {
		.columns = columns, .rows = "candidates", .empty = "no route covers this prefix"
	};
	Fab__V1__NicPrefixRequest req = FAB__V1__NIC_PREFIX_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	req.nic = (char *)(uintptr_t)args->pos[0];
	req.prefix = (char *)(uintptr_t)args->pos[1];
	if ((status = ctl_call(c, "Explain", &req.base, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_CAMEL, NULL);
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}

/* ---- trace ---- */

/* The links of each hop as `link list` has them, or none at all. */
static void
put_links(json_t *hops, Fab__V1__TraceHop *const *from)
{
	json_t *hop, *links;
	size_t i;

	json_array_foreach(hops, i, hop)
	{
		json_object_del(hop, "links");
		if (from[i]->n_links == 0)
			continue;
		links = json_array();
		for (size_t k = 0; k < from[i]->n_links; k++)
			json_array_append_new(links, ctl_link_json(from[i]->links[k]));
		json_object_set_new(hop, "links", links);
	}
}

/* Rows of a table, with the links of each hop as text; whether there are any. */
static bool
rows_of(json_t **rows, const json_t *hops)
{
	char text[CTL_LINK_TEXT_MAX];
	bool any = false;
	json_t *hop;
	size_t i, k;

	*rows = json_deep_copy(hops);
	json_array_foreach(*rows, i, hop)
	{
		json_t *texts = json_array(), *link;

		json_array_foreach(json_object_get(hop, "links"), k, link)
		{
			ctl_link_text(text, link);
			json_array_append_new(texts, json_sprintf("%s%s", k > 0 ? "| " : "", text));
			any = true;
		}
		json_object_set_new(hop, "text", texts);
	}
	return any;
}

static void
hops_text(FILE *fp, const char *title, const json_t *hops, const char *verdict, const char *reason)
{
	static const struct ctl_column columns[] = {
		{ "Node", "node" },
		{ "NIC", "nic" },
		{ "Route", "route" },
		{ "Rule", "rule" },
		{ "Links", "text" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_column without_links[] = {
		{ "Node", "node" },
		{ "NIC", "nic" },
		{ "Route", "route" },
		{ "Rule", "rule" },
		CTL_COLUMNS_END,
	};
	json_t *rows;
	bool any = rows_of(&rows, hops);

	if (title[0] != '\0')
		fprintf(fp, "%s\n", title);
	ctl_table(fp, rows, any ? columns : without_links);
	json_decref(rows);
	fprintf(fp, "%s%s%s\n", verdict, reason[0] != '\0' ? ": " : "", reason);
}

static void
trace_text(FILE *fp, const json_t *v)
{
	const json_t *back = json_object_get(v, "back_hops");

	hops_text(fp, back != NULL ? "There" : "", json_object_get(v, "hops"),
	    ctl_str(v, "verdict"), ctl_str(v, "reason"));
	if (back == NULL)
		return;
	fprintf(fp, "\n");
	hops_text(fp, "Back", back, ctl_str(v, "back_verdict"), ctl_str(v, "back_reason"));
	fprintf(fp, "\n%s%s\n",
	    json_is_true(json_object_get(v, "symmetric")) ? "symmetric" : "asymmetric",
	    json_is_true(json_object_get(v, "stateful_break"))
		? ", a stateful firewall sees one direction only"
		: "");
}

static bool
arrives(const Fab__V1__TraceReply *r, bool both)
{
	if (strcmp(r->verdict, "delivered") != 0)
		return false;
	return !both || (strcmp(r->back_verdict, "delivered") == 0 && !r->stateful_break);
}

/* Exit 1 when the packet, or with --both its answer, does not arrive. fabricd always looks both
 * ways: `symmetric` and `stateful_break` are part of every answer. */
int
ctl_trace(struct ctl *c, const struct ctl_args *args)
{
	static const char *const both_only[] = { "back_verdict", "back_hops", "back_reason" };
	const bool both = args->opt[CTL_OPT_BOTH] != NULL;
	static const struct ctl_view view = { .text = trace_text };
	Fab__V1__TraceRequest req = FAB__V1__TRACE_REQUEST__INIT;
	ProtobufCMessage *reply;
	bool delivered;
	json_t *value;
	int status;

	req.src = (char *)(uintptr_t)args->pos[0];
	req.dst = (char *)(uintptr_t)args->pos[1];
	req.both = true;
	if ((status = ctl_call(c, "Trace", &req.base, &reply)) != CTL_OK)
		return status;
	delivered = arrives(CTL_REPLY(Fab__V1__TraceReply, reply), both);
	value = pbjson_encode(reply, PBJSON_SNAKE, NULL);
	put_links(json_object_get(value, "hops"), CTL_REPLY(Fab__V1__TraceReply, reply)->hops);
	put_links(
	    json_object_get(value, "back_hops"), CTL_REPLY(Fab__V1__TraceReply, reply)->back_hops);
	ctl_reply_free(reply);
	for (size_t i = 0; !both && i < sizeof(both_only) / sizeof(both_only[0]); i++)
		json_object_del(value, both_only[i]);
	status = ctl_answer(c, value, &view);
	return status != CTL_OK ? status : delivered ? CTL_OK : CTL_NO;
}
