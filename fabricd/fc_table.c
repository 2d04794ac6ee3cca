/*
 * Tables of routes.
 */
#include "fabricd/fc_table.h"

#include "lib/err.h"

void
fc_table_clear(struct fc_group_pool *p, struct fc_lpm *t)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, t, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		fc_group_unref(p, hit.value & ~FC_STALE);
	fc_lpm_fini(t);
}

int
fc_table_set(
    struct fc_group_pool *p, struct fc_lpm *t, struct ipnet net, uint32_t id, size_t *changed)
{
	uint32_t *slot = fc_lpm_add(t, net), old;

	if (slot == NULL) {
		fc_group_unref(p, id);
		return FAB_ENOMEM;
	}
	old = *slot;
	*slot = id;
	if (old == FC_LPM_NONE || (old & ~FC_STALE) != id)
		++*changed;
	if (old != FC_LPM_NONE)
		fc_group_unref(p, old & ~FC_STALE);
	return FAB_OK;
}

bool
fc_table_del(struct fc_group_pool *p, struct fc_lpm *t, struct ipnet net)
{
	uint32_t old = fc_lpm_del(t, net);

	if (old == FC_LPM_NONE)
		return false;
	fc_group_unref(p, old & ~FC_STALE);
	return true;
}
