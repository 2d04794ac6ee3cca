#ifndef TESTS_UNIT_FAKE_SESSION_H
#define TESTS_UNIT_FAKE_SESSION_H
/*
 * A stand-in for lib/bgp_session.c without sockets and timers: the test says when a session comes
 * up and what it received, and looks at what the speaker sent, decoded into the table that a real
 * peer would have. Linking it instead of the real one is enough: everything the speaker calls is
 * here.
 */
#include "lib/bgp_session.h"

#include <stdbool.h>
#include <stddef.h>

#define FAKE_TABLE_MAX 4096

struct fake_route {
	struct ipnet net;
	uint32_t next_hop;
	uint32_t path[8];
	size_t n_path;
	uint32_t communities[8];
	size_t n_communities;
	bool has_med, has_local_pref;
	uint8_t origin;
};

struct bgp_session {
	struct bgp_session_conf conf;
	const struct bgp_session_cb *cb;
	void *ctx;
	enum bgp_state state;
	enum bgp_wire wire; /* BGP_WIRE_RFC_AS4 unless the test sets another */
	size_t message_max;
	uint32_t router_id; /* of the peer */
	bool can_refresh;
	struct bgp_session_stats stats;
	/* What came out of the speaker since the session came up. */
	struct fake_route table[FAKE_TABLE_MAX];
	size_t n_table;
	unsigned messages, announced, withdrawn, end_of_ribs;
	unsigned strays;      /* withdrawals of what the peer did not have */
	struct fab_buf *last; /* identity only */
	/* What the speaker did to the session. */
	unsigned refreshes, resets, accepted, marks; /* marks: begin and end of a replay */
	uint8_t reset_code, reset_subcode;
	char reset_reason[128];
	bool reset_pending;
	bool cut_in, cut_out;
	char last_error[128];
	uint64_t since_us; /* how often the state changed: grows, which is all a test needs */
};

/* By peer name, while the speaker has such a peer; NULL otherwise. */
struct bgp_session *fake_find(const char *peer);
/* Down to Idle happens as the real session tells it: with a callback. */
void fake_up(struct bgp_session *s);
void fake_down(struct bgp_session *s, const char *reason);
/* Resets the speaker asked for take effect. */
void fake_settle(void);
/* An UPDATE arrives. prefixes is a list "10.0.0.0/8 10.1.0.0/16"; path is ASNs ending with 0. */
struct fake_update {
	const char *announce, *withdraw;
	uint32_t next_hop;
	const uint32_t *path;
	uint32_t communities[4];
	size_t n_communities;
	bool has_med, has_local_pref;
	uint32_t med, local_pref;
	uint8_t origin;
	size_t padding; /* octets of an unknown transitive attribute */
};
void fake_rx(struct bgp_session *s, const struct fake_update *u);
void fake_rx_nets(struct bgp_session *s, const struct ipnet *nets, size_t n, uint32_t next_hop,
    const uint32_t *path);
void fake_end_of_rib(struct bgp_session *s);
/* What the peer has of a prefix; NULL if nothing. */
const struct fake_route *fake_has(const struct bgp_session *s, const char *prefix);
/* "65515 65001" */
const char *fake_path(const struct fake_route *r);
/* A connection arrives at the only listener of this kind; the peer that got it, NULL if refused. */
const char *fake_connect(enum bgp_transport_kind kind, uint32_t from);

#endif
