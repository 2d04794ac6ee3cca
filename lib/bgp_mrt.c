#include "lib/bgp_mrt.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/octets.h"
#include "lib/wire_bgp.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* RFC 6396 4.4, RFC 8050 3 */
#define TYPE_BGP4MP_ET           17
#define SUBTYPE_MESSAGE          1
#define SUBTYPE_MESSAGE_AS4      4
#define SUBTYPE_STATE_CHANGE_AS4 5
#define AFI_IPV4                 1

#define HEAD_MAX 48 /* header, microseconds, ASNs, interface, AFI, addresses, two states */

static struct {
	int fd; /* 0: none; standard input is never ours */
	off_t size;
	struct bgp_scratch scratch;
} mrt;

int
bgp_mrt_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	struct stat st;

	if (fd < 0)
		return FAB_EIO;
	bgp_mrt_close();
	mrt.fd = fd;
	mrt.size = fstat(fd, &st) == 0 ? st.st_size : 0;
	return FAB_OK;
}

void
bgp_mrt_close(void)
{
	if (mrt.fd <= 0)
		return;
	close(mrt.fd);
	mrt.fd = 0;
	bgp_scratch_fini(&mrt.scratch);
}

bool
bgp_mrt_is_open(void)
{
	return mrt.fd > 0;
}

/* ---- records ---- */

static uint8_t *
put_asn(uint8_t *p, bool as4, uint32_t asn)
{
	return as4 ? put32(p, asn) : put16(p, asn > UINT16_MAX ? BGP_AS_TRANS : asn);
}

/* The common header and what all BGP4MP records begin with; *length is where its length belongs. */
static uint8_t *
put_head(uint8_t *p, uint8_t **length, unsigned subtype, const struct bgp_mrt_ends *e, bool out)
{
	uint32_t as[2] = { e->conf->peer_as, e->conf->local_as };
	uint32_t addr[2] = { e->conf->peer_addr, e->conf->local_addr };
	uint64_t now = fab_wall_us();
	bool as4 = subtype != SUBTYPE_MESSAGE;

	p = put16(put16(put32(p, (uint32_t)(now / 1000000)), TYPE_BGP4MP_ET), subtype);
	*length = p;
	p = put32(p + 4, (uint32_t)(now % 1000000));
	p = put_asn(put_asn(p, as4, as[out]), as4, as[!out]);
	p = put16(put16(p, 0), AFI_IPV4);
	return put32(put32(p, addr[out]), addr[!out]);
}

/* Head (up to p) and data, in one write; a record that does not get there whole is the last one. */
static void
write_record(
    const uint8_t *head, const uint8_t *p, uint8_t *length, const uint8_t *data, size_t len)
{
	size_t n = (size_t)(p - head);
	struct iovec iov[2] = { { .iov_base = (void *)(uintptr_t)head, .iov_len = n },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = len } };

	put32(length, (uint32_t)(p - length - 4 + (ptrdiff_t)len));
	mrt.size += (off_t)(n + len);
	if (mrt.size > (off_t)BGP_MRT_FILE_MAX || writev(mrt.fd, iov, 2) != (ssize_t)(n + len))
		bgp_mrt_close();
}

void
bgp_mrt_state(const struct bgp_mrt_ends *e, enum bgp_state before, enum bgp_state now)
{
	uint8_t head[HEAD_MAX], *length, *p;

	if (!bgp_mrt_is_open())
		return;
	p = put_head(head, &length, SUBTYPE_STATE_CHANGE_AS4, e, false);
	p = put16(put16(p, (unsigned)before + 1), (unsigned)now + 1); /* Idle is 1 */
	write_record(head, p, length, NULL, 0);
}

/* ---- messages ---- */

struct record {
	const struct bgp_mrt_ends *e;
	bool out;
};

static void
write_message(const struct record *r, unsigned subtype, const uint8_t *data, size_t len)
{
	uint8_t head[HEAD_MAX], *length, *p;

	if (!bgp_mrt_is_open())
		return;
	p = put_head(head, &length, subtype, r->e, r->out);
	write_record(head, p, length, data, len);
}

static void
emit(void *arg, struct fab_buf *b)
{
	write_message(arg, SUBTYPE_MESSAGE_AS4, b->data, b->len);
}

static void
write_update(struct record *r, const struct bgp_update *u)
{
	bool ibgp = r->e->conf->local_as == r->e->conf->peer_as;
	const struct bgp_attrs attrs = { .s = u->attrs };
	struct fab_buf *b;

	if (u->end_of_rib && (b = bgp_encode_end_of_rib(BGP_WIRE_RFC_AS4)) != NULL) {
		emit(r, b);
		fab_buf_unref(b);
	}
	if (u->n_withdrawn > 0)
		bgp_encode_update(BGP_WIRE_RFC_AS4, ibgp, BGP_MESSAGE_EXTENDED, NULL, u->withdrawn,
		    u->n_withdrawn, emit, r);
	if (u->n_nlri > 0 && !u->treat_as_withdraw)
		bgp_encode_update(BGP_WIRE_RFC_AS4, ibgp, BGP_MESSAGE_EXTENDED, &attrs, u->nlri,
		    u->n_nlri, emit, r);
}

static void
write_other(struct record *r, const struct bgp_msg *m)
{
	struct fab_buf *b = NULL;

	if (m->type == BGP_MSG_OPEN)
		b = bgp_msg_encode_open(&m->open);
	else if (m->type == BGP_MSG_NOTIFICATION)
		b = bgp_msg_encode_notify(&m->notify);
	else if (m->type == BGP_MSG_KEEPALIVE)
		b = bgp_msg_encode_keepalive();
	else if (m->type == BGP_MSG_REFRESH)
		b = bgp_msg_encode_refresh(&m->refresh);
	if (b != NULL)
		emit(r, b);
	fab_buf_unref(b);
}

/* Protobuf, as RFC 4271 would have it. What does not decode is not recorded. */
static void
translate(struct record *r, const uint8_t *data, size_t len)
{
	const struct bgp_decode_opts opts = {
		.as4 = true, .ibgp = r->e->conf->local_as == r->e->conf->peer_as, .extended = true
	};
	struct bgp_notify err;
	struct bgp_msg m;

	if (wire_bgp_decode(&m, &mrt.scratch, &opts, data, len, &err) != FAB_OK)
		return;
	if (m.type != BGP_MSG_UPDATE)
		write_other(r, &m);
	for (size_t i = 0; m.type == BGP_MSG_UPDATE && i < m.updates.n; i++)
		write_update(r, &m.updates.u[i]);
}

void
bgp_mrt_message(const struct bgp_mrt_ends *e, bool out, const uint8_t *data, size_t len)
{
	struct record r = { e, out };
	bool as2;

	if (!bgp_mrt_is_open())
		return;
	if (e->conf->transport == BGP_TRANSPORT_NNG) {
		translate(&r, data, len);
		return;
	}
	as2 = len > BGP_HEADER_OCTETS && data[18] == BGP_MSG_UPDATE && !e->as4;
	write_message(&r, as2 ? SUBTYPE_MESSAGE : SUBTYPE_MESSAGE_AS4, data, len);
}
