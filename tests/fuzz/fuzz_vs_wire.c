/*
 * Tables from fabricd: any sequence of SwitchUpdates is put in force or refused with one line, and
 * whatever is in force answers every lookup with a port that is there.
 *
 * Input: updates, each a length in two octets, network order, and a packed SwitchUpdate.
 */
#include "lib/err.h"
#include "vswitchd/vs_model.h"
#include "vswitchd/wire_switch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IDS 16 /* of ports that are asked for */

static void
apply(struct vs_model *m, const Fab__V1__SwitchUpdate *in)
{
	uint64_t before = vs_model_generation(m);
	struct wire_switch_update u;
	char why[128] = "";
	int err = wire_switch_decode(&u, in, why);

	if (err == FAB_OK) {
		err = vs_model_apply(m, &u.u, why);
		wire_switch_release(&u);
	}
	FAB_ASSERT((why[0] == '\0') == (err == FAB_OK) && strchr(why, '\n') == NULL);
	FAB_ASSERT(vs_model_generation(m) == (err == FAB_OK && in->last ? in->generation : before));
}

static void
look_up(struct vs_model *m, uint32_t from, uint32_t dst)
{
	const struct vs_port_conf *p = vs_model_port(m, from);
	const struct vs_flow flow = {
		.src = p != NULL ? p->ip : 0, .dst = dst, .hash = dst * 0x9e3779b9u, .pair = from
	};
	struct vs_verdict v;

	vs_lookup(m, from, &flow, &v);
	FAB_ASSERT(v.action != VS_DROPPED || v.drop < VS_DROP_COUNT);
	if (v.action != VS_TO_PORT)
		return;
	p = vs_model_port(m, v.port);
	FAB_ASSERT(p != NULL && p->up && !p->router);
}

static void
look_around(struct vs_model *m)
{
	static const uint32_t dst[] = { 0, 0x08080808, 0x0a010204, 0x0a0b0004, 0x0a0c0004,
		0x0a010004, 0xac140001, 0x0a320001, UINT32_MAX };

	vs_model_lock(m);
	for (uint32_t from = 0; from < IDS; from++)
		for (size_t i = 0; i < sizeof(dst) / sizeof(dst[0]); i++)
			look_up(m, from, dst[i]);
	vs_model_unlock(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	struct vs_model *m;

	FAB_ASSERT(vs_model_new(&m) == FAB_OK);
	while (end - at >= 2) {
		size_t len = (size_t)at[0] << 8 | at[1];
		Fab__V1__SwitchUpdate *in;

		at += 2;
		if ((size_t)(end - at) < len)
			break;
		if ((in = fab__v1__switch_update__unpack(NULL, len, at)) != NULL) {
			apply(m, in);
			fab__v1__switch_update__free_unpacked(in, NULL);
			look_around(m);
		}
		at += len;
	}
	vs_model_free(m);
	return 0;
}
