/*
 * Changes of the resources: whole or not at all, in memory and on disk.
 */
#include "fabricd/fc_apply.h"
#include "lib/err.h"
#include "lib/log.h"
#include "tests/unit/fc_fabric.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define KILLS 8 /* rounds of the SIGKILL test */

/* Two mistakes: an address outside of its subnet, and a site that does not exist. */
#define TWO_MISTAKES                                                                               \
	SMALL_NET("")                                                                              \
	"nvas: {nva1: {subnet: hub/nva, ip: 10.9.9.9, asn: 65001}}\n"                              \
	"circuits: {c1: {site: nowhere}}\n"

/* Everything that a change could leave half done. */
struct state {
	uint64_t revision, generation, events;
	const struct topo *topo;
	char *docs;
};

static char *
dump_docs(const struct topo_doc *doc)
{
	json_t *all = json_array();
	char *text;

	for (size_t i = 0; i < doc->n; i++)
		json_array_append_new(
		    all, json_pack("{s:s, s:s, s:O}", "kind", topo_kind_name(doc->res[i].kind),
			     "name", doc->res[i].name, "props", doc->res[i].props));
	text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(all);
	return text;
}

static struct state
state_of(const struct fc *f)
{
	return (struct state){ .revision = f->revision,
		.generation = f->generation,
		.events = fc_events_last(f->events),
		.topo = f->topo,
		.docs = dump_docs(f->doc) };
}

static bool
unchanged(const struct fc *f, struct state *before)
{
	struct state now = state_of(f);
	bool same = now.revision == before->revision && now.generation == before->generation &&
		    now.events == before->events && now.topo == before->topo &&
		    strcmp(now.docs, before->docs) == 0;

	free(now.docs);
	return same;
}

static int
apply(struct fc *f, const char *yaml, bool dry_run, struct fc_apply_result **r)
{
	*r = fc_apply_result_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(*r);
	return fc_apply_text(f, yaml, strlen(yaml), dry_run, *r);
}

static bool
has_code(const struct fc_apply_result *r, const char *code)
{
	for (size_t i = 0; i < r->errors.n; i++)
		if (strcmp(r->errors.e[i].code, code) == 0)
			return true;
	return false;
}

static void
test_a_refused_file_changes_nothing(void)
{
	static const struct {
		const char *yaml;
		size_t errors; /* at least */
	} rows[] = {
		{ TWO_MISTAKES, 2 }, { "name: [\n", 1 },
		{ "name: x\nvnets: {v: {colour: blue}}\n", 1 }, { "", 1 },
		{ SMALL "vms: {}\n", 1 }, /* a key twice */
	};
	struct fc_apply_result *r;
	struct state before;
	struct fixture fx;

	fixture_init(&fx, SMALL, true);
	before = state_of(fx.f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(apply(fx.f, rows[i].yaml, false, &r), FAB_EINVAL);
		CU_ASSERT_TRUE(r->errors.n >= rows[i].errors); /* all at once */
		CU_ASSERT_EQUAL(r->n_changes, 0);
		CU_ASSERT_TRUE(unchanged(fx.f, &before));
		fc_apply_result_free(r);
	}
	free(before.docs);
	fixture_fini(&fx);
}

static void
test_a_dry_run_says_what_it_would_do(void)
{
	struct fc_apply_result *r;
	struct state before;
	struct fixture fx;

	fixture_init(&fx, SMALL, true);
	before = state_of(fx.f);
	CU_ASSERT_EQUAL(apply(fx.f, SMALL_NET(""), true, &r), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(r->n_changes, 3); /* both NVAs go, the Route Server loses peers */
	CU_ASSERT_STRING_EQUAL(fc_action_name(&r->changes[0]), "update");
	CU_ASSERT_STRING_EQUAL(r->changes[0].name, "rs");
	CU_ASSERT_STRING_EQUAL(fc_action_name(&r->changes[1]), "delete");
	CU_ASSERT_STRING_EQUAL(fc_action_name(&r->changes[2]), "delete");
	CU_ASSERT_TRUE(unchanged(fx.f, &before));
	fc_apply_result_free(r);
	/* The same file again is no change, dry or not. */
	CU_ASSERT_EQUAL(apply(fx.f, SMALL, false, &r), FAB_OK);
	CU_ASSERT_EQUAL(r->n_changes, 0);
	CU_ASSERT_TRUE(unchanged(fx.f, &before));
	fc_apply_result_free(r);
	free(before.docs);
	fixture_fini(&fx);
}

static void
test_set_and_delete(void)
{
	static const struct {
		const char *name, *assignment;
		int err;
		const char *code;
	} rows[] = {
		{ "nva1", "asn=65011", FAB_OK, NULL },
		{ "nva1", "asn", FAB_EINVAL, "InvalidAssignment" },
		{ "nva1", "asn=65515", FAB_EINVAL, NULL },   /* RS-43 */
		{ "nva1", "ip=10.1.2.5", FAB_EINVAL, NULL }, /* that of nva2 */
		{ "nva1", "colour=blue", FAB_EINVAL, NULL },
		{ "nva9", "asn=65009", FAB_ENOENT, NULL },
	};
	struct fc_apply_result *r;
	struct state before;
	struct fixture fx;

	fixture_init(&fx, SMALL, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *assignments[] = { (char *)(uintptr_t)rows[i].assignment };

		before = state_of(fx.f);
		r = fc_apply_result_new();
		CU_ASSERT_EQUAL(
		    fc_apply_set(fx.f, TOPO_NVA, rows[i].name, assignments, 1, r), rows[i].err);
		CU_ASSERT_EQUAL(r->errors.n > 0, rows[i].err == FAB_EINVAL);
		CU_ASSERT_EQUAL(unchanged(fx.f, &before), rows[i].err != FAB_OK);
		CU_ASSERT_TRUE(rows[i].code == NULL || has_code(r, rows[i].code));
		fc_apply_result_free(r);
		free(before.docs);
	}
	CU_ASSERT_EQUAL(fx.f->topo->nvas[0].asn, 65011);

	before = state_of(fx.f);
	r = fc_apply_result_new();
	CU_ASSERT_EQUAL(fc_apply_delete(fx.f, TOPO_VM, "vm9", r), FAB_ENOENT);
	CU_ASSERT_EQUAL(fc_apply_delete(fx.f, TOPO_VNET, "hub", r), FAB_EINVAL); /* in use */
	CU_ASSERT_TRUE(unchanged(fx.f, &before));
	fc_apply_result_free(r);
	free(before.docs);
	r = fc_apply_result_new();
	CU_ASSERT_EQUAL(fc_apply_delete(fx.f, TOPO_VM, "vm1", r), FAB_OK);
	CU_ASSERT_EQUAL(r->n_changes, 1);
	CU_ASSERT_EQUAL(fx.f->topo->n_vms, 0);
	fc_apply_result_free(r);
	fixture_fini(&fx);
}

/* ERR-12: one resource is changed, and something stands on what it loses. */
static void
test_things_in_use(void)
{
	static const char *const text =
	    "vnets:\n"
	    "  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "
	    "GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24, lb: 10.1.3.0/24, empty: 10.1.4.0/24, "
	    "vms: {prefix: 10.1.5.0/24, route_table: rt}}}\n"
	    "route_tables: {rt: {}, unused: {}}\n"
	    "route_servers: {rs: {vnet: hub}}\n"
	    "gateways: {er: {vnet: hub, type: ExpressRoute}}\n"
	    "nvas: {nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}}\n"
	    "load_balancers: {lb1: {subnet: hub/lb, ip: 10.1.3.4, backends: nva1}}\n";
	static const struct {
		enum topo_kind kind;
		const char *name, *assignment; /* NULL: delete */
		const char *code;              /* NULL: done */
	} rows[] = {
		{ TOPO_VNET, "hub", "subnets.nva=", "InUseSubnetCannotBeDeleted" },
		{ TOPO_VNET, "hub", "subnets.lb=", "InUseSubnetCannotBeDeleted" },
		{ TOPO_VNET, "hub", "subnets.GatewaySubnet=", "InUseSubnetCannotBeDeleted" },
		{ TOPO_VNET, "hub", "subnets.RouteServerSubnet=", "InUseSubnetCannotBeDeleted" },
		{ TOPO_VNET, "hub", "subnets.nva.prefix=10.1.2.0/25",
		    "InUseSubnetCannotBeUpdated" },
		{ TOPO_VNET, "hub", "subnets.nva=10.1.2.0/25", "InUseSubnetCannotBeUpdated" },
		{ TOPO_VNET, "hub", NULL, "InUseSubnetCannotBeDeleted" },
		{ TOPO_ROUTE_TABLE, "rt", NULL, "InUseRouteTableCannotBeDeleted" },
		{ TOPO_VNET, "hub", "subnets.nva.nsg=true", NULL },
		{ TOPO_VNET, "hub", "subnets.empty.prefix=10.1.6.0/24", NULL },
		{ TOPO_VNET, "hub", "subnets.empty=", NULL },
		{ TOPO_ROUTE_TABLE, "unused", NULL, NULL },
	};
	struct fixture fx;

	fixture_init(&fx, text, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *assignment = (char *)(uintptr_t)rows[i].assignment;
		struct fc_apply_result *r = fc_apply_result_new();
		int err = assignment == NULL
			      ? fc_apply_delete(fx.f, rows[i].kind, rows[i].name, r)
			      : fc_apply_set(fx.f, rows[i].kind, rows[i].name, &assignment, 1, r);

		CU_ASSERT_EQUAL(err, rows[i].code == NULL ? FAB_OK : FAB_EINVAL);
		if (rows[i].code != NULL ? !has_code(r, rows[i].code) : r->errors.n > 0) {
			printf("\n%s %s: %s %s", rows[i].name, assignment, r->errors.e[0].code,
			    r->errors.e[0].message);
			CU_FAIL("wrong code");
		}
		fc_apply_result_free(r);
	}
	fixture_fini(&fx);
}

static void
test_a_full_disk_changes_nothing(void)
{
	struct rlimit old, tight;
	struct fc_apply_result *r;
	struct state before;
	struct fixture fx;
	int err;

	fixture_init(&fx, SMALL, true);
	before = state_of(fx.f);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 100; /* no page fits */
	setrlimit(RLIMIT_FSIZE, &tight);
	err = apply(fx.f, SMALL_NET(""), false, &r);
	setrlimit(RLIMIT_FSIZE, &old);
	CU_ASSERT_NOT_EQUAL(err, FAB_OK);
	CU_ASSERT_EQUAL(r->errors.n, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->why, "cannot write the store: "));
	CU_ASSERT_TRUE(unchanged(fx.f, &before));
	fc_apply_result_free(r);
	/* And when there is room again it works. */
	CU_ASSERT_EQUAL(apply(fx.f, SMALL_NET(""), false, &r), FAB_OK);
	CU_ASSERT_EQUAL(fx.f->topo->n_nvas, 0);
	fc_apply_result_free(r);
	free(before.docs);
	fixture_fini(&fx);
}

static void
test_a_restart_has_the_same_resources(void)
{
	struct fixture fx;
	char *before, *after;

	fixture_init(&fx, SMALL, true);
	CU_ASSERT_EQUAL(fixture_set(&fx, "nva", "nva1", "advertise=[10.8.0.0/16]"), FAB_RPC_OK);
	before = dump_docs(fx.f->doc);
	fixture_kill_fabric(&fx);
	fixture_start_fabric(&fx);
	after = dump_docs(fx.f->doc);
	CU_ASSERT_STRING_EQUAL(before, after);
	CU_ASSERT_EQUAL(fx.f->revision, 2);
	free(before);
	free(after);
	fixture_fini(&fx);
}

/* Rows that this program refuses, or cannot read, are no reason to start with half a fabric. */
static void
test_a_store_with_bad_rows_is_refused(void)
{
	static const struct {
		struct fc_store_change row;
		int err;
		const char *why;
	} rows[] = {
		{ { .kind = "spoon", .name = "x", .body = "{}" }, FAB_EBADMSG,
		    "the store has an unreadable resource spoon x" },
		{ { .kind = "vm", .name = "x", .body = "{" }, FAB_EBADMSG,
		    "the store has an unreadable resource vm x" },
		{ { .kind = "vm",
		      .name = "x",
		      .body = "{\"subnet\":\"no/where\",\"ip\":\"1.2.3.4\"}" },
		    FAB_EINVAL, "the store has resources that are refused: " },
	};
	const struct fc_conf conf = { .urls = { .bgp = "ipc:///tmp/%s.bgp" } };
	struct fixture fx;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char why[FC_STORE_WHY_MAX] = "", path[96];
		struct fc_store *s = NULL;
		struct fc *f = NULL;

		fixture_init(&fx, NULL, false);
		snprintf(path, sizeof(path), "%s/bad.db", fx.dir.path);
		CU_ASSERT_EQUAL_FATAL(fc_store_open(&s, path, why), FAB_OK);
		CU_ASSERT_EQUAL(fc_store_commit(s, &rows[i].row, 1, why), FAB_OK);
		fc_store_close(s);
		CU_ASSERT_EQUAL_FATAL(fc_new(&f, fx.loop, &conf), FAB_OK);
		CU_ASSERT_EQUAL(fc_open(f, path, why), rows[i].err);
		CU_ASSERT_EQUAL(strncmp(why, rows[i].why, strlen(rows[i].why)), 0);
		fc_free(f);
		fixture_fini(&fx);
	}
}

/* ---- SIGKILL ---- */

static struct fc *
open_fabric(struct fab_loop *loop, const char *store)
{
	const struct fc_conf conf = { .urls = { .bgp = "ipc:///tmp/%s.bgp" } };
	char why[FC_STORE_WHY_MAX];
	struct fc *f = NULL;

	if (fc_new(&f, loop, &conf) != FAB_OK || fc_open(f, store, why) != FAB_OK)
		return NULL;
	return f;
}

/* Child: moves vm1 and sets the ASN of nva1 in one file, again and again, and acknowledges each
 * change with its number; the two must always fit each other. */
static void
apply_for_ever(const char *store, int ack)
{
	struct fab_loop *loop = NULL;
	struct fc *f;

	fab_log_set_level(FAB_LOG_ERROR);
	if (fab_loop_new(&loop) != FAB_OK || (f = open_fabric(loop, store)) == NULL)
		_exit(1);
	for (uint32_t n = (uint32_t)f->revision + 1;; n++) {
		struct fc_apply_result *r;
		char yaml[2048];

		snprintf(yaml, sizeof(yaml),
		    "%snvas: {nva1: {subnet: hub/nva, ip: 10.1.2.%u, asn: %u}}\n", SMALL_NET(""),
		    4 + n % 200, 64512 + n % 1000);
		if (apply(f, yaml, false, &r) != FAB_OK || write(ack, &n, sizeof(n)) != sizeof(n))
			_exit(1);
		fc_apply_result_free(r);
	}
}

static uint32_t
kill_in_mid_stream(const char *store, int round)
{
	uint32_t n, last = 0;
	int fds[2], status;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	if ((pid = fork()) == 0)
		apply_for_ever(store, fds[1]);
	close(fds[1]);
	for (int i = 0; i < 3 + round && read(fds[0], &n, sizeof(n)) == sizeof(n); i++)
		last = n;
	usleep((useconds_t)(round * 331)); /* moves the instant of death through an apply */
	kill(pid, SIGKILL);
	while (read(fds[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	close(fds[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFSIGNALED(status));
	return last;
}

static void
test_kill_9_loses_no_acknowledged_change(void)
{
	struct fixture fx;
	char store[96];

	fixture_init(&fx, NULL, false);
	snprintf(store, sizeof(store), "%s/kill.db", fx.dir.path);
	for (int round = 0; round < KILLS; round++) {
		uint32_t acked = kill_in_mid_stream(store, round), n;
		struct fc *f = open_fabric(fx.loop, store);

		CU_ASSERT_PTR_NOT_NULL_FATAL(f);
		n = (uint32_t)f->revision;
		CU_ASSERT_TRUE(acked > 0 && n >= acked && n <= acked + 1);
		CU_ASSERT_EQUAL_FATAL(f->topo->n_nvas, 1);
		CU_ASSERT_EQUAL(f->topo->nvas[0].ip, 0x0a010204 + n % 200);
		CU_ASSERT_EQUAL(f->topo->nvas[0].asn, 64512 + n % 1000);
		fc_free(f);
	}
	fixture_fini(&fx);
}

static CU_TestInfo tests[] = {
	{ "ERR-12: things in use", test_things_in_use },
	{ "a refused file changes nothing", test_a_refused_file_changes_nothing },
	{ "a dry run says what it would do", test_a_dry_run_says_what_it_would_do },
	{ "set and delete", test_set_and_delete },
	{ "a full disk changes nothing", test_a_full_disk_changes_nothing },
	{ "a restart has the same resources", test_a_restart_has_the_same_resources },
	{ "a store with bad rows is refused", test_a_store_with_bad_rows_is_refused },
	{ "kill -9 loses no acknowledged change", test_kill_9_loses_no_acknowledged_change },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_apply", tests)
