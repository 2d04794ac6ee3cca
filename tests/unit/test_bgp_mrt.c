/*
 * MRT records of BGP messages, read back as RFC 6396 and RFC 8050 describe them.
 */
#include "lib/bgp_mrt.h"

#include "bgp_test.h"
#include "fab_cunit.h"
#include "lib/err.h"
#include "lib/octets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD 12 /* and 4 of microseconds, which the length counts */

static char path[] = "/tmp/test_bgp_mrt_XXXXXX";
static uint8_t file[65536];
static size_t file_len;

static const struct bgp_session_conf rs = { .local_as = 65515,
	.peer_as = 65001,
	.local_addr = 0x0a010004,
	.peer_addr = 0x0a010204,
	.transport = BGP_TRANSPORT_NNG };

static void
read_back(void)
{
	FILE *fp = fopen(path, "re");

	FAB_ASSERT(fp != NULL);
	file_len = fread(file, 1, sizeof(file), fp);
	fclose(fp);
	FAB_ASSERT(truncate(path, 0) == 0);
}

static void
start(void)
{
	CU_ASSERT_EQUAL(bgp_mrt_open(path), FAB_OK);
	CU_ASSERT_TRUE(bgp_mrt_is_open());
}

/* The BGP message of a record with ASNs of four octets, from one AS and address to another. */
static const uint8_t *
message(const uint8_t *p, size_t *len, unsigned subtype, uint32_t from, uint32_t to)
{
	CU_ASSERT_EQUAL(get16(p + 4), 17);
	CU_ASSERT_EQUAL(get16(p + 6), subtype);
	CU_ASSERT_TRUE(get32(p + 12) < 1000000);
	CU_ASSERT_EQUAL(get32(p + 16), from == rs.peer_addr ? 65001 : 65515);
	CU_ASSERT_EQUAL(get32(p + 20), from == rs.peer_addr ? 65515 : 65001);
	CU_ASSERT_EQUAL(get16(p + 26), 1);
	CU_ASSERT_EQUAL(get32(p + 28), from);
	CU_ASSERT_EQUAL(get32(p + 32), to);
	*len = get32(p + 8) - 24;
	return p + 36;
}

static void
test_protobuf_becomes_rfc_4271(void)
{
	const struct bgp_mrt_ends e = { &rs, true };
	const struct bgp_decode_opts opts = { .as4 = true };
	static const struct ipnet nets[] = { { 0, 0 }, { 0x0a320000, 16 } };
	uint8_t path_octets[] = { 2, 1, 0, 0, 0xfd, 0xe9 };
	uint32_t communities[] = { 0xffffff02 };
	const struct bgp_attrs attrs = { .s = { .next_hop = 0x0a010204,
					     .as_path = path_octets,
					     .as_path_octets = sizeof(path_octets),
					     .communities = communities,
					     .n_communities = 1 } };
	struct collected c = { .n = 0 };
	struct bgp_scratch sc = { 0 };
	struct bgp_notify err;
	const uint8_t *p;
	struct bgp_msg m;
	size_t len;

	start();
	wire_bgp_encode_update(false, 65535, &attrs, nets, 2, collect_cb, &c);
	wire_bgp_encode_update(false, 65535, NULL, nets, 1, collect_cb, &c);
	FAB_ASSERT(c.n == 2);
	bgp_mrt_message(&e, false, c.b[0]->data, c.b[0]->len);
	bgp_mrt_message(&e, true, c.b[1]->data, c.b[1]->len);
	read_back();
	p = message(file, &len, 4, rs.peer_addr, rs.local_addr);
	CU_ASSERT_EQUAL_FATAL(bgp_msg_decode(&m, &sc, &opts, p, len, &err), FAB_OK);
	CU_ASSERT_EQUAL(m.type, BGP_MSG_UPDATE);
	CU_ASSERT_EQUAL(m.updates.u[0].n_nlri, 2);
	CU_ASSERT_TRUE(ipnet_eq(m.updates.u[0].nlri[1], nets[1]));
	CU_ASSERT_EQUAL(m.updates.u[0].attrs.next_hop, 0x0a010204);
	CU_ASSERT_EQUAL(m.updates.u[0].attrs.communities[0], 0xffffff02);
	CU_ASSERT_EQUAL(m.updates.u[0].attrs.as_path_octets, sizeof(path_octets));
	p = message(p + len, &len, 4, rs.local_addr, rs.peer_addr);
	CU_ASSERT_EQUAL_FATAL(bgp_msg_decode(&m, &sc, &opts, p, len, &err), FAB_OK);
	CU_ASSERT_EQUAL(m.updates.u[0].n_withdrawn, 1);
	CU_ASSERT_PTR_EQUAL(p + len, file + file_len);
	collected_free(&c);
	bgp_scratch_fini(&sc);
	bgp_mrt_close();
}

static void
test_other_messages_and_tcp(void)
{
	struct bgp_session_conf tcp = rs;
	const struct bgp_mrt_ends nng = { &rs, true }, as4 = { &tcp, true }, as2 = { &tcp, false };
	const struct bgp_notify n = { BGP_ERR_CEASE, BGP_CEASE_ADMIN_SHUTDOWN, 0, NULL };
	struct fab_buf *b[] = { wire_bgp_encode_keepalive(), wire_bgp_encode_notify(&n),
		bgp_encode_end_of_rib(BGP_WIRE_RFC_AS4), bgp_encode_end_of_rib(BGP_WIRE_RFC_AS2) };
	const struct bgp_mrt_ends *ends[] = { &nng, &nng, &as4, &as2 };
	static const uint8_t types[] = { BGP_MSG_KEEPALIVE, BGP_MSG_NOTIFICATION, BGP_MSG_UPDATE };
	const uint8_t *p = file;
	size_t len;

	tcp.transport = BGP_TRANSPORT_TCP;
	start();
	for (size_t i = 0; i < 4; i++)
		bgp_mrt_message(ends[i], true, b[i]->data, b[i]->len);
	read_back();
	for (size_t i = 0; i < 3; i++) {
		p = message(p, &len, 4, rs.local_addr, rs.peer_addr);
		CU_ASSERT_EQUAL(p[18], types[i]);
		p += len;
	}
	/* AS_PATHs of two octets: so are the record's ASNs. */
	CU_ASSERT_EQUAL(get16(p + 6), 1);
	CU_ASSERT_EQUAL(get16(p + 16), 65515);
	CU_ASSERT_EQUAL(get16(p + 18), 65001);
	CU_ASSERT_PTR_EQUAL(p + HEAD + get32(p + 8), file + file_len);
	for (size_t i = 0; i < 4; i++)
		fab_buf_unref(b[i]);
	bgp_mrt_close();
}

static void
test_state_changes(void)
{
	const struct bgp_mrt_ends e = { &rs, true };
	const uint8_t *p;
	size_t len;

	start();
	bgp_mrt_state(&e, BGP_OPEN_CONFIRM, BGP_ESTABLISHED);
	read_back();
	p = message(file, &len, 5, rs.peer_addr, rs.local_addr);
	CU_ASSERT_EQUAL(len, 4);
	CU_ASSERT_EQUAL(get16(p), 5);
	CU_ASSERT_EQUAL(get16(p + 2), 6);
	bgp_mrt_close();
}

static void
test_nothing_without_a_file_or_beyond_the_limit(void)
{
	const struct bgp_mrt_ends e = { &rs, true };
	static const uint8_t broken[] = { 0xff, 0xff, 0xff };

	CU_ASSERT_FALSE(bgp_mrt_is_open());
	bgp_mrt_state(&e, BGP_IDLE, BGP_ACTIVE);
	CU_ASSERT_EQUAL(bgp_mrt_open("/nonexistent/x.mrt"), FAB_EIO);
	start();
	bgp_mrt_message(&e, false, broken, sizeof(broken));
	read_back();
	CU_ASSERT_EQUAL(file_len, 0);
	bgp_mrt_close();
	FAB_ASSERT(truncate(path, BGP_MRT_FILE_MAX - 10) == 0);
	start();
	bgp_mrt_state(&e, BGP_IDLE, BGP_ACTIVE);
	CU_ASSERT_FALSE(bgp_mrt_is_open());
	FAB_ASSERT(truncate(path, 0) == 0);
}

static CU_TestInfo tests[] = {
	{ "protobuf becomes RFC 4271", test_protobuf_becomes_rfc_4271 },
	{ "other messages, and those of TCP", test_other_messages_and_tcp },
	{ "state changes", test_state_changes },
	{ "nothing without a file, or beyond the limit",
	    test_nothing_without_a_file_or_beyond_the_limit },
	CU_TEST_INFO_NULL,
};

int
main(void)
{
	int fd = mkstemp(path), rc;

	FAB_ASSERT(fd >= 0 && close(fd) == 0);
	rc = fab_cunit_run("bgp_mrt", tests);
	unlink(path);
	return rc;
}
