#ifndef TESTS_UNIT_FC_FIXTURE_H
#define TESTS_UNIT_FC_FIXTURE_H
/*
 * For tests of fabricd's route layers: a topology in YAML, reports in one line, tables and paths as
 * text, so that a test reads like the tables of the semantics document. Static, because each test
 * program is one file.
 */
#include "fabricd/fc_eff.h"
#include "fabricd/fc_layers.h"
#include "lib/err.h"

#include <CUnit/Basic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIX_ROUTES_MAX 64
#define FIX_TEXT_MAX   8192
#define FIX_UNUSED     __attribute__((unused))

struct fix {
	struct topo *t;
	struct fc_layers *l;
	char text[FIX_TEXT_MAX];
};

static FIX_UNUSED struct topo *
fix_topo(const char *yaml)
{
	struct topo_errors errs = { .n = 0 };
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;

	if (topo_parse_yaml(&doc, yaml, strlen(yaml), &errs) == FAB_OK)
		t = topo_build(doc, &errs, NULL);
	for (size_t i = 0; i < errs.n; i++)
		printf("\n%u: %s: %s", errs.e[i].line, errs.e[i].code, errs.e[i].message);
	topo_doc_free(doc);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

static FIX_UNUSED void
fix_open(struct fix *f, const char *yaml)
{
	f->t = fix_topo(yaml);
	CU_ASSERT_EQUAL_FATAL(fc_layers_new(&f->l), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fc_layers_bind(f->l, f->t), FAB_OK);
}

static FIX_UNUSED void
fix_rebind(struct fix *f, const char *yaml)
{
	struct topo *t = fix_topo(yaml);

	CU_ASSERT_EQUAL_FATAL(fc_layers_bind(f->l, t), FAB_OK);
	topo_free(f->t);
	f->t = t;
}

static FIX_UNUSED void
fix_close(struct fix *f)
{
	fc_layers_free(f->l);
	topo_free(f->t);
}

/* ---- reports ---- */

/* Splits "10.0.0.0/8 172.20.0.0/16". */
static FIX_UNUSED size_t
fix_nets(const char *text, uint32_t *addr, uint8_t *len)
{
	char buf[1024], *save = NULL;
	size_t n = 0;

	snprintf(buf, sizeof(buf), "%s", text);
	for (char *w = strtok_r(buf, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		struct ipnet net;

		CU_ASSERT_FATAL(n < FIX_ROUTES_MAX && ipnet_parse(&net, w) == FAB_OK);
		addr[n] = net.addr;
		len[n++] = net.len;
	}
	return n;
}

static FIX_UNUSED size_t
fix_addrs(const char *text, uint32_t *addr)
{
	char buf[512], *save = NULL;
	size_t n = 0;

	snprintf(buf, sizeof(buf), "%s", text);
	for (char *w = strtok_r(buf, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		CU_ASSERT_FATAL(n < FIX_ROUTES_MAX && ipaddr_parse(&addr[n++], w) == FAB_OK);
	return n;
}

struct fix_route {
	enum hrp_source source;
	unsigned path_len;
	uint32_t weight;
};

/* What a reporter says: prefixes with one set of next hops. Returns how many outcomes changed. */
static FIX_UNUSED size_t
fix_tell(struct fix *f, const char *reporter, struct fix_route as, const char *nets,
    const char *next_hops)
{
	static const uint32_t path[16] = { 65001, 65002 };
	uint32_t addr[FIX_ROUTES_MAX], hops[FIX_ROUTES_MAX];
	uint8_t len[FIX_ROUTES_MAX];
	struct fc_route_group g = { .source = as.source,
		.next_hops = hops,
		.n_next_hops = fix_addrs(next_hops, hops),
		.as_path = path,
		.n_as_path = as.path_len,
		.weight = as.weight,
		.addr = addr,
		.len = len,
		.n = fix_nets(nets, addr, len) };
	struct fc_route_batch b = { .groups = &g, .n_groups = 1 };
	size_t changed = SIZE_MAX;

	CU_ASSERT_EQUAL(fc_layers_apply(f->l, reporter, &b, &changed), FAB_OK);
	return changed;
}

static FIX_UNUSED size_t
fix_withdraw(struct fix *f, const char *reporter, const char *nets)
{
	uint32_t addr[FIX_ROUTES_MAX];
	uint8_t len[FIX_ROUTES_MAX];
	struct fc_route_batch b = { .withdrawn_addr = addr,
		.withdrawn_len = len,
		.n_withdrawn = fix_nets(nets, addr, len) };
	size_t changed = SIZE_MAX;

	CU_ASSERT_EQUAL(fc_layers_apply(f->l, reporter, &b, &changed), FAB_OK);
	return changed;
}

/* Both instances of a Route Server or gateway. */
static FIX_UNUSED void
fix_both(struct fix *f, const char *name, enum hrp_source source, const char *nets,
    const char *next_hops)
{
	char reporter[64];

	for (int i = 0; i < 2; i++) {
		snprintf(reporter, sizeof(reporter), "%s-%d", name, i);
		fix_tell(f, reporter, (struct fix_route){ source, 1, 0 }, nets, next_hops);
	}
}

static FIX_UNUSED void
fix_both_withdraw(struct fix *f, const char *name, const char *nets)
{
	char reporter[64];

	for (int i = 0; i < 2; i++) {
		snprintf(reporter, sizeof(reporter), "%s-%d", name, i);
		fix_withdraw(f, reporter, nets);
	}
}

static FIX_UNUSED void
fix_nva(struct fix *f, const char *rs, const char *nets, const char *next_hops)
{
	fix_both(f, rs, HRP_SRC_NVA, nets, next_hops);
}

/* The whole table of an NVA or site: "10.21.0.0/16>nva3 0.0.0.0/0>". */
static FIX_UNUSED void
fix_router(struct fix *f, const char *node, const char *table)
{
	char buf[1024], *save = NULL;
	struct fc_route_batch empty = { 0 };

	snprintf(buf, sizeof(buf), "%s", table);
	CU_ASSERT_EQUAL(fc_layers_router_apply(f->l, node, &empty, true, false), FAB_OK);
	for (char *w = strtok_r(buf, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		char *peer = strchr(w, '>');
		struct ipnet net;
		struct fc_route_group g = { .n = 1 };
		struct fc_route_batch b = { .groups = &g, .n_groups = 1 };

		CU_ASSERT_PTR_NOT_NULL_FATAL(peer);
		*peer = '\0';
		CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, w), FAB_OK);
		g.addr = &net.addr;
		g.len = &net.len;
		g.peer = peer + 1;
		CU_ASSERT_EQUAL(fc_layers_router_apply(f->l, node, &b, false, false), FAB_OK);
	}
	CU_ASSERT_EQUAL(fc_layers_router_apply(f->l, node, &empty, false, true), FAB_OK);
}

/* ---- answers as text ---- */

__attribute__((format(printf, 2, 3))) static FIX_UNUSED void
fix_add(struct fix *f, const char *fmt, ...)
{
	size_t used = strlen(f->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text + used, sizeof(f->text) - used, fmt, ap);
	va_end(ap);
}

static FIX_UNUSED void
fix_add_route(struct fix *f, const struct fc_eff_route *r)
{
	char net[IPNET_STRLEN], addr[IPADDR_STRLEN];

	fix_add(f, "%s %s %s %s", fc_source_name(r->source), fc_state_name(r->state),
	    ipnet_format(net, r->prefix), fc_hop_name(r->hop));
	for (size_t i = 0; i < r->n_next_hops; i++)
		fix_add(f, " %s", ipaddr_format(addr, r->next_hops[i]));
	if (r->name != NULL)
		fix_add(f, " (%s)", r->name);
}

static FIX_UNUSED void
fix_expect_text(struct fix *f, const char *what, const char *want)
{
	if (strcmp(f->text, want) != 0)
		printf("\n%s: got\n%s\nwanted\n%s\n", what, f->text, want);
	CU_ASSERT_STRING_EQUAL(f->text, want);
}

static FIX_UNUSED int
fix_nic(const struct fix *f, const char *name)
{
	int nic = topo_find_nic(f->t, name);

	CU_ASSERT_FATAL(nic >= 0);
	return nic;
}

/* One line a row; the system's None rows are counted in the last line. */
static FIX_UNUSED void
fix_expect_table(struct fix *f, const char *nic, const char *want)
{
	struct fc_eff_route *rows = NULL;
	size_t n = 0, none = 0;

	CU_ASSERT_EQUAL_FATAL(fc_eff_list(f->l, fix_nic(f, nic), &rows, &n), FAB_OK);
	f->text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (rows[i].source == FC_SRC_DEFAULT && rows[i].hop == FC_HOP_NONE &&
		    rows[i].state == FC_ACTIVE) {
			none++;
			continue;
		}
		fix_add_route(f, &rows[i]);
		fix_add(f, "\n");
	}
	if (none > 0)
		fix_add(f, "%zu None\n", none);
	free(rows);
	fix_expect_text(f, nic, want);
}

/* The route for one address: "VirtualNetworkGateway Active 0.0.0.0/0 ...", or "no route". */
static FIX_UNUSED void
fix_expect_lookup(struct fix *f, const char *nic, const char *addr_text, const char *want)
{
	struct fc_eff_route r;
	uint32_t addr;

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, addr_text), FAB_OK);
	f->text[0] = '\0';
	if (fc_eff_lookup(f->l, fix_nic(f, nic), addr, &r))
		fix_add_route(f, &r);
	else
		fix_add(f, "no route");
	fix_expect_text(f, addr_text, want);
}

/* One line a candidate: its row, then the verdict and the rule. */
static FIX_UNUSED void
fix_expect_explain(struct fix *f, const char *nic, const char *prefix, const char *want)
{
	struct fc_candidate *c = NULL;
	struct ipnet net;
	size_t n = 0;

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, prefix), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fc_eff_explain(f->l, fix_nic(f, nic), net, &c, &n), FAB_OK);
	f->text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		fix_add_route(f, &c[i].route);
		fix_add(f, ": %s [%s]\n", c[i].verdict, c[i].rule);
	}
	free(c);
	fix_expect_text(f, prefix, want);
}

static FIX_UNUSED struct fc_trace
fix_trace(struct fix *f, const char *src, const char *dst)
{
	struct fc_endpoint from, to;
	struct fc_trace tr = { .verdict = FC_BLACKHOLE };

	CU_ASSERT_EQUAL_FATAL(fc_endpoint_parse(f->l, &from, src), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fc_endpoint_parse(f->l, &to, dst), FAB_OK);
	CU_ASSERT_FATAL(fc_endpoint_is_source(&from));
	fc_trace_run(f->l, from, to, &tr);
	return tr;
}

/* One line a hop, "node [RULE] route", then the verdict, with its reason if there is one. */
static FIX_UNUSED void
fix_expect_trace(struct fix *f, const char *src, const char *dst, const char *want)
{
	struct fc_trace tr = fix_trace(f, src, dst);
	char what[128];

	f->text[0] = '\0';
	for (size_t i = 0; i < tr.n_hops; i++) {
		fix_add(f, "%s", tr.hops[i].node);
		if (tr.hops[i].rule[0] != '\0')
			fix_add(f, " [%s] %s", tr.hops[i].rule, tr.hops[i].route);
		fix_add(f, "\n");
	}
	fix_add(f, "%s", fc_verdict_name(tr.verdict));
	if (tr.reason[0] != '\0')
		fix_add(f, ": %s", tr.reason);
	snprintf(what, sizeof(what), "%s to %s", src, dst);
	fix_expect_text(f, what, want);
}

#endif
