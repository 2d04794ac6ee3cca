/*
 * Whom the switch is to probe: the backends of load balancers that say how (RS-57).
 */
#include "fabricd/fc_image_int.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
fc_img_probes_fini(struct fc_img_probes *p)
{
	free(p->v);
	*p = (struct fc_img_probes){ 0 };
}

static size_t
count(const struct topo *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_balancers; i++)
		if (t->balancers[i].probe.port != 0)
			n += t->balancers[i].n_backends;
	return n;
}

static void
add(struct fc_img_probes *p, const struct topo_load_balancer *l, uint32_t port)
{
	struct fc_img_probe *out = &p->v[p->n++];

	out->port = port;
	out->tcp_port = l->probe.port;
	out->http = l->probe.http;
	out->interval_ms = l->probe.interval_ms;
	out->threshold = l->probe.threshold;
	snprintf(out->balancer, sizeof(out->balancer), "%s", l->name);
	snprintf(out->path, sizeof(out->path), "%s", l->probe.path != NULL ? l->probe.path : "");
}

int
fc_img_probes_compile(struct fc_img_probes *out, const struct fc_image *img)
{
	const struct topo *t = img->l->topo;

	/* Zeroed to its last octet: lists are compared as they lie in memory. */
	*out = (struct fc_img_probes){ .v = calloc(count(t) + 1, sizeof(*out->v)) };
	if (out->v == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < t->n_balancers; i++) {
		const struct topo_load_balancer *l = &t->balancers[i];

		for (size_t k = 0; l->probe.port != 0 && k < l->n_backends; k++)
			add(out, l, img->nics[l->backends[k]]->id);
	}
	return FAB_OK;
}

bool
fc_img_probes_eq(const struct fc_img_probes *a, const struct fc_img_probes *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(a->v[0])) == 0);
}
