/* The verb that shows NICs as the packet path sees them. */
#include "fabctl/ctl.h"
#include "lib/err.h"
#include "lib/pbjson.h"
#include "proto/fabric.pb-c.h"

#include <stdint.h>

/* "source 3, no-route 1" */
static json_t *
drops_text(const json_t *drops)
{
	json_t *text = json_string(""), *longer;
	const json_t *d;
	size_t i;

	json_array_foreach(drops, i, d)
	{
		longer = json_sprintf("%s%s%s %" JSON_INTEGER_FORMAT, json_string_value(text),
		    i > 0 ? ", " : "", ctl_str(d, "name"),
		    json_integer_value(json_object_get(d, "value")));
		json_decref(text);
		text = longer;
	}
	return text;
}

static void
nics_text(FILE *fp, const json_t *v)
{
	static const struct ctl_column columns[] = {
		{ "Name", "name" },
		{ "Kind", "kind" },
		{ "Subnet", "place" },
		{ "Address", "ipAddress" },
		{ "Attached", "attached" },
		{ "Packets Out", "rxPackets" }, /* the switch's words are the other way round */
		{ "Packets In", "txPackets" },
		{ "Dropped", "text" },
		CTL_COLUMNS_END,
	};
	json_t *rows = json_deep_copy(json_object_get(v, "value")), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_object_set_new(row, "text", drops_text(json_object_get(row, "drops")));
		json_object_set_new(row, "place",
		    json_sprintf("%s/%s", ctl_str(row, "virtualNetwork"), ctl_str(row, "subnet")));
	}
	ctl_table(fp, rows, columns);
	json_decref(rows);
}

int
ctl_nics(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = nics_text };
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	if (args->n_pos > 0)
		req.nic = (char *)(uintptr_t)args->pos[0];
	if ((status = ctl_call(c, "Nics", &req.base, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_CAMEL | PBJSON_NUMBERS, NULL);
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}
