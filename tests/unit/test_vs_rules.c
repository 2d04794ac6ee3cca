/*
 * The table in the kernel, in a network namespace of the test's own: TAPs stand for our ends of
 * guests' veths and for the trunk. What is read from one that packets are sent out by is what the
 * rules made of them.
 */
#include "lib/err.h"
#include "lib/rtnl.h"
#include "lib/tap.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/vs_packet.h"
#include "vswitchd/vs_rules.h"
#include "vswitchd/vs_trunk.h"
#include "vswitchd/vs_veth.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { A = 1, B, TRUNK, N_TAPS };
enum { MTU = 1400, PATIENCE_MS = 5000, SILENCE_MS = 100, IP_A = 0x0a000004, IP_B = 0x0a010004 };

static struct {
	int fd[N_TAPS], ifindex[N_TAPS];
	uint8_t mac[N_TAPS][6];
	struct vs_rules *rules;
	uint64_t packets, octets; /* counted last */
	struct vs_flow_key counted;
	unsigned n_counted;
} w;

static uint8_t frame[4096];

static void
on_counted(void *ctx, const struct vs_flow_key *k, uint64_t packets, uint64_t octets)
{
	(void)ctx;
	w.counted = *k;
	w.packets = packets;
	w.octets = octets;
	w.n_counted++;
}

/* ---- the world ---- */

static void
open_tap(int i, int rtnl)
{
	char name[IFNAMSIZ] = "t%d", why[VS_WHY_MAX];
	struct ifreq ifr = { 0 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL_FATAL(fab_tap_open(&w.fd[i], name, why), FAB_OK);
	w.ifindex[i] = (int)if_nametoindex(name);
	CU_ASSERT_EQUAL_FATAL(vs_link_raise(rtnl, w.ifindex[i], 65521, why), FAB_OK);
	memcpy(ifr.ifr_name, name, sizeof(name));
	CU_ASSERT_EQUAL_FATAL(ioctl(sock, SIOCGIFHWADDR, &ifr), 0);
	memcpy(w.mac[i], ifr.ifr_hwaddr.sa_data, 6);
	close(sock);
}

static void
make_rules(void)
{
	const struct vs_rules_conf conf = { w.ifindex[TRUNK], on_counted, NULL };
	char why[VS_RULES_WHY_MAX] = "";

	CU_ASSERT_EQUAL_FATAL(vs_rules_new(&w.rules, &conf, why), FAB_OK);
}

static void
open_port(int i, uint32_t ip)
{
	const struct vs_rules_port p = { (uint32_t)i, w.ifindex[i], ip, MTU };
	char why[VS_RULES_WHY_MAX];

	CU_ASSERT_EQUAL_FATAL(vs_rules_open(w.rules, &p, why), FAB_OK);
}

static void
begin(void)
{
	int rtnl;

	memset(&w, 0, sizeof(w));
	CU_ASSERT_EQUAL_FATAL(rtnl_open(&rtnl, 0), FAB_OK);
	for (int i = A; i < N_TAPS; i++)
		open_tap(i, rtnl);
	close(rtnl);
	make_rules();
	open_port(A, IP_A);
	open_port(B, IP_B);
}

static void
end(void)
{
	vs_rules_free(w.rules);
	for (int i = A; i < N_TAPS; i++)
		close(w.fd[i]);
}

/* ---- packets ---- */

static size_t
packet(size_t n)
{
	size_t len = pkt_udp(frame, IP_A, IP_B, 1000, 2000, n);

	memcpy(frame + PKT_ETH, w.mac[A], 6); /* as the fabric's, which a TAP cannot have */
	return len;
}

static void
send_to(int i, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(write(w.fd[i], frame, len), (ssize_t)len);
}

/* What came to that interface; 0: nothing. */
static size_t
came_out(int i, int patience_ms)
{
	struct pollfd p = { .fd = w.fd[i], .events = POLLIN };
	ssize_t n = poll(&p, 1, patience_ms) == 1 ? read(w.fd[i], frame, sizeof(frame)) : 0;

	return n > 0 ? (size_t)n : 0;
}

static void
assert_silence(void)
{
	for (int i = A; i < N_TAPS; i++)
		CU_ASSERT_EQUAL(came_out(i, SILENCE_MS), 0);
}

/* A's packet, as it is in frame, gets to the trunk and nowhere else. */
static void
assert_detour(size_t len)
{
	send_to(A, len);
	CU_ASSERT_EQUAL(came_out(TRUNK, PATIENCE_MS), len);
	CU_ASSERT_EQUAL(vs_trunk_sender(frame, len), A);
	assert_silence();
}

static void
assert_delivered(size_t len)
{
	static uint8_t sent[sizeof(frame)];
	uint8_t macs[12];

	memcpy(put32(put16(macs, 0x02fa), IP_B), pkt_fabric_mac, 6);
	memcpy(sent, frame, len);
	send_to(A, len);
	CU_ASSERT_EQUAL(came_out(B, PATIENCE_MS), len);
	CU_ASSERT_EQUAL(memcmp(frame + PKT_ETH, macs, sizeof(macs)), 0);
	CU_ASSERT_EQUAL(memcmp(frame + PKT_IP, sent + PKT_IP, len - PKT_IP), 0); /* its TTL too */
	assert_silence();
}

static const struct vs_flow_key flow = { .from = A, .src = IP_A, .dst = IP_B };
static const struct vs_flow_key connection = {
	.from = A, .src = IP_A, .dst = IP_B, .proto = 17, .ports = 1000u << 16 | 2000
};

static void
commit(void)
{
	char why[VS_RULES_WHY_MAX];

	w.n_counted = 0;
	CU_ASSERT_EQUAL(vs_rules_flows_commit(w.rules, why), FAB_OK);
}

static void
add(const struct vs_flow_key *k)
{
	vs_rules_flow_add(w.rules, k, B);
	commit();
}

/* ---- tests ---- */

static void
test_what_no_flow_has_takes_the_trunk(void)
{
	begin();
	assert_detour(packet(100));
	add(&(struct vs_flow_key){ .from = B, .src = IP_A, .dst = IP_B });
	add(&(struct vs_flow_key){ .from = A, .src = IP_B, .dst = IP_A });
	assert_detour(packet(100));
	CU_ASSERT_TRUE(pkt_arp(frame, IP_A, IP_B) > 0);
	assert_detour(PKT_IP + 28);
	end();
}

static void
test_flow_goes_straight_and_is_counted(void)
{
	size_t len = packet(100);

	begin();
	add(&flow);
	for (int i = 0; i < 3; i++)
		assert_delivered(packet(100));
	vs_rules_flows_count(w.rules);
	CU_ASSERT_EQUAL(w.n_counted, 1);
	CU_ASSERT_EQUAL(w.packets, 3);
	CU_ASSERT_EQUAL(w.octets, 3 * (len - VS_VNET_HDR));
	CU_ASSERT_EQUAL(memcmp(&w.counted, &flow, sizeof(flow)), 0);
	assert_delivered(packet(100));
	vs_rules_flow_del(w.rules, &flow);
	commit();
	CU_ASSERT_EQUAL(w.n_counted, 1); /* the last word */
	CU_ASSERT_EQUAL(w.packets, 4);
	assert_detour(packet(100));
	end();
}

static void
test_connection_has_ports(void)
{
	size_t len;

	begin();
	add(&connection);
	assert_delivered(packet(100));
	len = packet(100);
	put16(frame + PKT_L4, 1001);
	assert_detour(len);
	len = packet(100);
	put16(frame + PKT_IP + 6, 0x2000); /* a fragment */
	assert_detour(len);
	vs_rules_flows_count(w.rules);
	CU_ASSERT_EQUAL(memcmp(&w.counted, &connection, sizeof(connection)), 0);
	CU_ASSERT_EQUAL(w.packets, 1);
	end();
}

/* Whatever the maps have. */
static void
test_what_is_not_plain_takes_the_trunk(void)
{
	size_t len;

	begin();
	add(&flow);
	assert_delivered(packet(MTU - 28));
	assert_detour(packet(MTU - 27));
	len = packet(100);
	frame[PKT_IP] = 0x46; /* options */
	assert_detour(len);
	len = packet(100);
	memset(frame + PKT_ETH, 255, 6);
	assert_detour(len);
	len = packet(100);
	put16(frame + PKT_ETH + 12, 0x86dd);
	assert_detour(len);
	end();
}

/* Segments that a kernel has put together are as large as they like. */
static void
test_tcp_may_be_put_together(void)
{
	const struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1000,
		.csum_start = 34,
		.csum_offset = 16 };
	size_t len;

	begin();
	add(&flow);
	len = packet(3000);
	frame[PKT_IP + 9] = 6;
	frame[PKT_L4 + 12] = 0x50;
	pkt_offload(frame, &h);
	send_to(A, len);
	CU_ASSERT_EQUAL(came_out(B, PATIENCE_MS), len);
	CU_ASSERT_EQUAL(frame[offsetof(struct virtio_net_hdr, gso_type)], VIRTIO_NET_HDR_GSO_TCPV4);
	assert_silence();
	end();
}

static void
test_from_the_trunk_by_slot(void)
{
	size_t len;

	begin();
	len = packet(100);
	vs_frame_set_macs(frame, IP_B);
	vs_trunk_address(frame, B);
	send_to(TRUNK, len);
	CU_ASSERT_EQUAL(came_out(B, PATIENCE_MS), len);
	CU_ASSERT_EQUAL(memcmp(frame + PKT_ETH + 6, pkt_fabric_mac, 6), 0);
	len = packet(100);
	vs_trunk_address(frame, 77);
	send_to(TRUNK, len);
	len = packet(100); /* the trunk believes nobody's own address */
	send_to(TRUNK, len);
	assert_silence();
	end();
}

static void
test_other_address_and_closed_port(void)
{
	size_t len;

	begin();
	open_port(B, IP_B + 1);
	vs_rules_close(w.rules, B);
	CU_ASSERT_PTR_NULL(vs_rules_port(w.rules, B));
	len = packet(100);
	send_to(B, len);
	vs_trunk_address(frame, B);
	send_to(TRUNK, len);
	assert_silence();
	open_port(B, IP_B);
	CU_ASSERT_EQUAL(vs_rules_port(w.rules, B)->ip, IP_B);
	add(&flow);
	assert_delivered(packet(100));
	end();
}

/* More than one transaction takes. */
static void
test_many_flows(void)
{
	char why[VS_RULES_WHY_MAX];
	struct vs_flow_key k = flow;

	begin();
	for (k.src = 0; k.src < VS_FLOWS_MAX; k.src++)
		vs_rules_flow_add(w.rules, &k, B);
	commit();
	vs_rules_flows_count(w.rules);
	CU_ASSERT_EQUAL(w.n_counted, VS_FLOWS_MAX);
	w.n_counted = 0;
	for (k.src = 0; k.src < VS_FLOWS_MAX; k.src++) {
		vs_rules_flow_del(w.rules, &k);
		vs_rules_flow_add(w.rules, &k, A);
	}
	CU_ASSERT_EQUAL(vs_rules_flows_commit(w.rules, why), FAB_OK);
	CU_ASSERT_EQUAL(w.n_counted, VS_FLOWS_MAX); /* each that was deleted */
	vs_rules_flows_count(w.rules);
	CU_ASSERT_EQUAL(w.n_counted, 2 * VS_FLOWS_MAX);
	w.n_counted = 0;
	CU_ASSERT_EQUAL(vs_rules_flows_clear(w.rules, why), FAB_OK);
	vs_rules_flows_count(w.rules);
	CU_ASSERT_EQUAL(w.n_counted, 0);
	end();
}

/* What is not there cannot be deleted: the whole transaction is void, and that is told. */
static void
test_void_transaction(void)
{
	char why[VS_RULES_WHY_MAX] = "";

	begin();
	vs_rules_flow_add(w.rules, &flow, B);
	vs_rules_flow_del(w.rules, &connection);
	CU_ASSERT_NOT_EQUAL(vs_rules_flows_commit(w.rules, why), FAB_OK);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "nftables cannot change the cached flows: "));
	assert_detour(packet(100));
	add(&flow);
	assert_delivered(packet(100));
	end();
}

/* The old table goes on until the new one is there, and then is no more in the way. */
static void
test_the_next_one_takes_over(void)
{
	begin();
	add(&flow);
	vs_rules_free(w.rules);
	assert_delivered(packet(100));
	make_rules();
	assert_delivered(packet(100));
	open_port(A, IP_A);
	open_port(B, IP_B);
	vs_rules_take_over(w.rules);
	assert_detour(packet(100));
	add(&flow);
	assert_delivered(packet(100));
	vs_rules_close(w.rules, A);
	CU_ASSERT_TRUE(packet(100) > 0);
	send_to(A, packet(100));
	assert_silence();
	end();
}

static CU_TestInfo tests[] = {
	{ "what no flow has takes the trunk", test_what_no_flow_has_takes_the_trunk },
	{ "a flow goes straight and is counted", test_flow_goes_straight_and_is_counted },
	{ "a connection has ports", test_connection_has_ports },
	{ "what is not plain takes the trunk", test_what_is_not_plain_takes_the_trunk },
	{ "TCP may be put together", test_tcp_may_be_put_together },
	{ "from the trunk by slot", test_from_the_trunk_by_slot },
	{ "another address, and a closed port", test_other_address_and_closed_port },
	{ "many flows", test_many_flows },
	{ "a void transaction", test_void_transaction },
	{ "the next one takes over", test_the_next_one_takes_over },
	CU_TEST_INFO_NULL,
};

int
main(void)
{
	char name[IFNAMSIZ] = "t%d", why[FAB_TAP_WHY_MAX];
	int fd;

	if (unshare(CLONE_NEWNET) != 0 || fab_tap_open(&fd, name, why) != FAB_OK) {
		printf("skipped: no namespace with TAPs for us: %s\n", strerror(errno));
		return FAB_CUNIT_SKIPPED;
	}
	close(fd);
	return fab_cunit_run("vs_rules", tests);
}
