#ifndef TESTS_FUZZ_BGP_CHECK_H
#define TESTS_FUZZ_BGP_CHECK_H
/*
 * What must hold for each message that a BGP decoder accepts, whatever it was made from.
 */
#include "lib/bgp_msg.h"
#include "lib/err.h"

static inline void
bgp_check_update(struct bgp_attr_table *t, const struct bgp_update *u)
{
	struct bgp_attrs *a, *again;

	for (size_t i = 0; i < u->n_withdrawn; i++)
		FAB_ASSERT(u->withdrawn[i].len <= 32 &&
			   ipnet_has_addr(u->withdrawn[i], u->withdrawn[i].addr));
	for (size_t i = 0; i < u->n_nlri; i++)
		FAB_ASSERT(u->nlri[i].len <= 32 && ipnet_has_addr(u->nlri[i], u->nlri[i].addr));
	FAB_ASSERT(!u->end_of_rib || u->n_nlri + u->n_withdrawn == 0);
	if (u->n_nlri == 0 || u->treat_as_withdraw)
		return;
	FAB_ASSERT(u->attrs.origin <= BGP_ORIGIN_INCOMPLETE && u->attrs.next_hop != 0);
	FAB_ASSERT(bgp_path_valid(u->attrs.as_path, u->attrs.as_path_octets));
	FAB_ASSERT(u->attrs.as_path_octets <= BGP_AS_PATH_OCTETS_MAX);
	FAB_ASSERT(bgp_other_valid(u->attrs.other, u->attrs.other_octets));
	a = bgp_attrs_intern(t, &u->attrs);
	FAB_ASSERT(a != NULL);
	again = bgp_attrs_intern(t, &a->s);
	FAB_ASSERT(a == again);
	bgp_attrs_unref(t, again);
	bgp_attrs_unref(t, a);
	FAB_ASSERT(bgp_attr_table_count(t) == 0);
}

static inline void
bgp_check_msg(struct bgp_attr_table *t, const struct bgp_msg *m)
{
	char text[400];

	if (m->type == BGP_MSG_NOTIFICATION)
		bgp_notify_format(text, sizeof(text), &m->notify);
	if (m->type != BGP_MSG_UPDATE)
		return;
	FAB_ASSERT(m->updates.n <= 2);
	for (size_t i = 0; i < m->updates.n; i++)
		bgp_check_update(t, &m->updates.u[i]);
}

#endif
