/*
 * A peer and an owner that do anything in any order: the input is a row of commands, octet streams
 * on up to two connections of one session, what its owner may call, and turns of the loop.
 */
#include "lib/bgp_fsm.h"
#include "tests/fuzz/bgp_check.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONNECTIONS 2

static struct fab_loop *loop;
static struct bgp_attr_table *table;

struct world {
	struct bgp_session *s;
	int fd[CONNECTIONS]; /* the peer's ends; -1: closed */
	uint8_t on_update;   /* what the owner does in the callback */
};

static void
on_down(void *ctx, struct bgp_session *s, const char *reason)
{
	(void)ctx;
	FAB_ASSERT(bgp_session_state(s) != BGP_ESTABLISHED && reason[0] != '\0');
}

static void
on_update(void *ctx, struct bgp_session *s, const struct bgp_update *u)
{
	struct world *w = ctx;

	FAB_ASSERT(bgp_session_state(s) == BGP_ESTABLISHED);
	bgp_check_update(table, u);
	if (w->on_update == 1)
		bgp_session_reset(s, BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIXES, "too many");
	else if (w->on_update == 2)
		bgp_session_stop(s, BGP_CEASE_ADMIN_SHUTDOWN, "bye");
}

static void
hang_up(struct world *w, int i)
{
	if (w->fd[i] >= 0)
		close(w->fd[i]);
	w->fd[i] = -1;
}

static void
connect_again(struct world *w, int i)
{
	struct bgp_incoming in = { .t = NULL };
	int pair[2];

	hang_up(w, i);
	FAB_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	FAB_ASSERT(bgp_tcp_from_fd(&in.t, loop, pair[0]) == FAB_OK);
	w->fd[i] = pair[1];
	bgp_session_accept(w->s, &in);
	FAB_ASSERT(in.t == NULL);
}

/* Writes n octets of the input; what does not fit is lost. */
static void
say(struct world *w, int i, const uint8_t *p, size_t n)
{
	if (w->fd[i] >= 0)
		(void)!send(w->fd[i], p, n, MSG_NOSIGNAL);
}

static void
say_message(struct world *w, int i, struct fab_buf *b)
{
	say(w, i, b->data, b->len);
	fab_buf_unref(b);
}

static void
say_open(struct world *w, int i, uint8_t flags)
{
	const struct bgp_open open = { .version = 4,
		.asn = 65001,
		.router_id = flags & 1 ? 9 : 1,
		.hold_sec = flags & 2 ? 3 : 0,
		.ipv4 = true,
		.as4 = flags & 4,
		.refresh = flags & 8,
		.extended_message = flags & 16,
		.enhanced_refresh = flags & 32 };

	say_message(w, i, bgp_msg_encode_open(&open));
}

/* What the session has to say is read and thrown away. */
static void
listen_to(struct world *w)
{
	uint8_t buf[65536];

	for (int i = 0; i < CONNECTIONS; i++) {
		while (w->fd[i] >= 0 && recv(w->fd[i], buf, sizeof(buf), MSG_DONTWAIT) > 0)
			continue;
	}
}

static void
owner_acts(struct world *w, uint8_t what)
{
	struct fab_buf *b;

	switch (what % 8) {
	case 0:
		bgp_session_start(w->s);
		break;
	case 1:
		bgp_session_stop(w->s, BGP_CEASE_ADMIN_RESET, what & 8 ? "text" : NULL);
		break;
	case 2:
		bgp_session_reset(w->s, BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIXES, "reset");
		break;
	case 3:
		bgp_session_refresh(w->s);
		bgp_session_refresh_mark(w->s, what & 8);
		break;
	case 4:
		bgp_session_cut(w->s, what & 8, what & 16);
		break;
	case 5:
		b = bgp_encode_end_of_rib(BGP_WIRE_RFC_AS4);
		bgp_session_send(w->s, b);
		fab_buf_unref(b);
		break;
	case 6:
		w->on_update = what >> 3 & 3;
		break;
	default:
		fab_loop_turn(loop, 0);
		break;
	}
}

/* One command: an octet that says what (bits 0-2), on which connection (bit 3), and with what. */
static size_t
command(struct world *w, const uint8_t *p, size_t n)
{
	int i = p[0] >> 3 & 1;
	size_t len;

	switch (p[0] & 7) {
	case 0:
		connect_again(w, i);
		return 1;
	case 1:
		hang_up(w, i);
		return 1;
	case 2:
		say_open(w, i, n > 1 ? p[1] : 0);
		return 2;
	case 3:
		say_message(w, i, bgp_msg_encode_keepalive());
		return 1;
	case 4: /* octets as they are */
	case 5:
		len = n > 2 ? (size_t)p[1] << 8 | p[2] : 0;
		if (len > n - 3 && n >= 3)
			len = n - 3;
		if (n >= 3)
			say(w, i, p + 3, len);
		return 3 + len;
	case 6:
		owner_acts(w, n > 1 ? p[1] : 0);
		return 2;
	default:
		fab_loop_turn(loop, 0);
		listen_to(w);
		return 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bgp_session_cb callbacks = { .down = on_down, .update = on_update };
	static const struct bgp_session_conf conf = { .local_name = "rs1-0",
		.peer_name = "nva1",
		.local_as = 65515,
		.peer_as = 65001,
		.router_id = 5,
		.hold_ms = 3000,
		.connect_retry_ms = 50,
		.transport = BGP_TRANSPORT_TCP,
		.passive = true,
		.offer_extended_message = true,
		.offer_enhanced_refresh = true };
	struct world w = { .fd = { -1, -1 } };

	if (loop == NULL) {
		FAB_ASSERT(fab_loop_new(&loop) == FAB_OK);
		FAB_ASSERT(bgp_attr_table_new(&table) == FAB_OK);
	}
	FAB_ASSERT(bgp_session_new(&w.s, loop, &conf, &callbacks, &w) == FAB_OK);
	bgp_session_start(w.s);
	for (size_t at = 0; at < size;)
		at += command(&w, data + at, size - at);
	fab_loop_turn(loop, 0);
	bgp_session_free(w.s);
	for (int i = 0; i < CONNECTIONS; i++)
		hang_up(&w, i);
	fab_loop_turn(loop, 0); /* ends what lingers */
	return 0;
}
