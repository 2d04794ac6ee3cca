/*
 * nvad's kernel routes, in a network namespace that the test makes for itself (with a user
 * namespace when it is not root), read back with iproute2.
 */
#include "lib/err.h"
#include "lib/log.h"
#include "nvad/nva_kernel.h"
#include "tests/unit/fab_cunit.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_WAIT_MS 5000
#define OUT_MAX      4096

static struct fab_loop *loop;
static struct nva_kernel *kernel;
static struct wire_peer peers[2];
static struct wire_conf conf;

/* Output of a command, one string. */
static const char *
sh(const char *command)
{
	static char out[OUT_MAX];
	FILE *fp = popen(command, "r");
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	n = fread(out, 1, sizeof(out) - 1, fp);
	out[n] = '\0';
	CU_ASSERT_EQUAL(pclose(fp), 0);
	return out;
}

static struct ipnet
net(const char *text)
{
	struct ipnet n;

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&n, text), FAB_OK);
	return n;
}

static void
set(const char *prefix, const char *peer)
{
	struct ipnet n = net(prefix);

	CU_ASSERT_EQUAL(nva_kernel_set(kernel, &n, peer), FAB_OK);
}

static void
del(const char *prefix)
{
	struct ipnet n = net(prefix);

	nva_kernel_del(kernel, &n);
}

/* Whether the route of exactly this prefix has these words in it; NULL: there is none. */
static bool
has(const char *prefix, const char *words)
{
	char command[128];
	const char *line;

	snprintf(command, sizeof(command), "ip route show exact %s proto bgp", prefix);
	line = sh(command);
	if (words == NULL)
		return line[0] == '\0';
	if (strstr(line, words) == NULL)
		printf("%s: %s", prefix, line);
	return strstr(line, words) != NULL;
}

/* nva1 of multi-region, with a tunnel to nva3 and a Route Server. */
static void
start(void)
{
	fab_log_set_level(FAB_LOG_ERROR);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(nva_kernel_new(&kernel, loop), FAB_OK);
	peers[0] = (struct wire_peer){
		.name = "nva3", .address = 0x0a020204, .local_address = 0x0a010204, .tunnel = true
	};
	peers[1] = (struct wire_peer){
		.name = "rs1-0", .address = 0x0a010004, .local_address = 0x0a010204
	};
	conf = (struct wire_conf){
		.address = 0x0a010204, .peers = peers, .n_peers = 2, .kernel_routes = true
	};
}

static void
stop(void)
{
	nva_kernel_free(kernel);
	fab_loop_free(loop);
}

static void
address_up(void)
{
	sh("ip link add eth0 type veth peer name p0 && ip link set eth0 up && ip link set p0 up && "
	   "ip link set lo up && ip addr add 10.1.2.4/24 dev eth0 && ip route add default via "
	   "10.1.2.1");
}

static void
address_down(void)
{
	sh("ip link del eth0; for t in t-nva3; do ip link del $t 2>/dev/null || :; done");
}

static void
test_waits_for_its_address(void)
{
	start();
	nva_kernel_config(kernel, &conf);
	set("10.21.0.0/16", "nva3");
	CU_ASSERT_STRING_EQUAL(sh("ip route show"), "");
	CU_ASSERT_STRING_EQUAL(sh("ip -o link show type vxlan"), "");
	/* Address before link, as vswitchd does it. */
	sh("ip link add eth0 type veth peer name p0 && ip addr add 10.1.2.4/24 dev eth0");
	fab_loop_turn(loop, TURN_WAIT_MS); /* the news wakes it */
	CU_ASSERT_STRING_EQUAL(sh("ip route show"), "");
	sh("ip link set p0 up && ip link set eth0 up");
	while (!has("10.21.0.0/16", "dev t-nva3"))
		fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_TRUE(has("10.2.2.4/32", "via 10.1.2.1 dev eth0"));
	stop();
	address_down();
}

static void
test_routes_follow_what_is_learned(void)
{
	address_up();
	start();
	nva_kernel_config(kernel, &conf);
	set("10.21.0.0/16", "nva3");
	set("10.11.0.0/16", "rs1-0");
	set("192.168.9.0/24", "");
	CU_ASSERT_TRUE(has("10.21.0.0/16", "via 10.2.2.4 dev t-nva3"));
	CU_ASSERT_TRUE(has("10.11.0.0/16", "via 10.1.2.1 dev eth0"));
	CU_ASSERT_TRUE(has("192.168.9.0/24", "via 10.1.2.1 dev eth0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(sh("ip -d link show t-nva3"), "remote 10.2.2.4"));
	CU_ASSERT_PTR_NOT_NULL(strstr(sh("ip neigh show dev t-nva3"), "PERMANENT"));
	/* The tunnel does not run through itself. */
	set("10.2.0.0/16", "nva3");
	CU_ASSERT_TRUE(has("10.2.2.4/32", "via 10.1.2.1 dev eth0"));
	set("10.2.2.4/32", "nva3");
	CU_ASSERT_TRUE(has("10.2.2.4/32", "via 10.1.2.1 dev eth0"));
	nva_kernel_sweep(kernel);
	CU_ASSERT_TRUE(has("10.2.2.4/32", "via 10.1.2.1 dev eth0"));
	set("10.21.0.0/16", "rs1-0");
	CU_ASSERT_TRUE(has("10.21.0.0/16", "via 10.1.2.1 dev eth0"));
	del("10.21.0.0/16");
	CU_ASSERT_TRUE(has("10.21.0.0/16", NULL));
	/* The platform's default route stays, whatever is learned. */
	set("0.0.0.0/0", "rs1-0");
	CU_ASSERT_STRING_EQUAL(sh("ip route show default"), "default via 10.1.2.1 dev eth0 \n");
	set("0.0.0.0/0", "nva3");
	CU_ASSERT_TRUE(has("0.0.0.0/1", "dev t-nva3"));
	CU_ASSERT_TRUE(has("128.0.0.0/1", "dev t-nva3"));
	set("0.0.0.0/0", "rs1-0");
	CU_ASSERT_TRUE(has("0.0.0.0/1", NULL));
	CU_ASSERT_TRUE(has("128.0.0.0/1", NULL));
	stop();
	address_down();
}

static void
test_an_earlier_life(void)
{
	address_up();
	start();
	nva_kernel_config(kernel, &conf);
	set("10.21.0.0/16", "nva3");
	set("10.22.0.0/16", "nva3");
	stop();
	/* Packets go on while BGP is away. */
	CU_ASSERT_TRUE(has("10.21.0.0/16", "dev t-nva3"));
	start();
	nva_kernel_config(kernel, &conf);
	CU_ASSERT_TRUE(has("10.22.0.0/16", "dev t-nva3"));
	set("10.21.0.0/16", "nva3");
	nva_kernel_sweep(kernel);
	CU_ASSERT_TRUE(has("10.21.0.0/16", "dev t-nva3"));
	CU_ASSERT_TRUE(has("10.22.0.0/16", NULL));
	/* A configuration without them takes all away. */
	conf.kernel_routes = false;
	nva_kernel_config(kernel, &conf);
	CU_ASSERT_STRING_EQUAL(sh("ip route show proto bgp"), "");
	CU_ASSERT_STRING_EQUAL(sh("ip -o link show type vxlan"), "");
	stop();
	address_down();
}

static CU_TestInfo tests[] = {
	{ "nothing is written before the own address is there", test_waits_for_its_address },
	{ "MR-5, MR-6: routes follow what is learned", test_routes_follow_what_is_learned },
	{ "an earlier life's routes stay until all peers were heard", test_an_earlier_life },
	CU_TEST_INFO_NULL,
};

static bool
write_file(const char *path, const char *text)
{
	FILE *fp = fopen(path, "we");

	if (fp == NULL)
		return false;
	fputs(text, fp);
	return fclose(fp) == 0;
}

/* Root in a user namespace: otherwise what we execute has no capabilities. */
static bool
own_namespace(void)
{
	char uid[32], gid[32];

	if (geteuid() == 0)
		return unshare(CLONE_NEWNET) == 0;
	snprintf(uid, sizeof(uid), "0 %u 1\n", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1\n", getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
	       write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", uid) && write_file("/proc/self/gid_map", gid);
}

int
main(void)
{
	if (!own_namespace()) {
		printf("skipped: no network namespace for us: %s\n", strerror(errno));
		return FAB_CUNIT_SKIPPED;
	}
	return fab_cunit_run("nva_kernel", tests);
}
