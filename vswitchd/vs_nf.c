#include "vswitchd/vs_nf.h"

#include "lib/err.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_OCTETS 65536 /* fits a socket's send buffer whatever the machine's limits are */
#define ONE_OCTETS   2048  /* the longest message and the end */
#define REPLY_OCTETS 32768
#define READS_MAX    65536 /* of one answer, before we call it noise */

struct vs_nf {
	int sock;
	uint32_t seq;
	size_t len; /* of the transaction */
	struct nlmsghdr *nlh;
	struct nlattr *exprs; /* of the rule */
	char batch[BATCH_OCTETS + ONE_OCTETS] __attribute__((aligned(8)));
};

/* ---- life ---- */

int
vs_nf_new(struct vs_nf **out)
{
	const struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	struct vs_nf *nf = calloc(1, sizeof(*nf));
	int one = 1;

	if (nf == NULL)
		return FAB_ENOMEM;
	nf->sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (nf->sock < 0 || bind(nf->sock, (const struct sockaddr *)&self, sizeof(self)) != 0) {
		vs_nf_free(nf);
		return FAB_EIO;
	}
	/* Refusals come without what was refused. */
	setsockopt(nf->sock, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	*out = nf;
	return FAB_OK;
}

void
vs_nf_free(struct vs_nf *nf)
{
	if (nf == NULL)
		return;
	if (nf->sock >= 0)
		close(nf->sock);
	free(nf);
}

/* ---- messages ---- */

static struct nlmsghdr *
put_header(struct vs_nf *nf, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
	struct nfgenmsg *g;

	nf->nlh = mnl_nlmsg_put_header(nf->batch + nf->len);
	nf->nlh->nlmsg_type = type;
	nf->nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nf->nlh->nlmsg_seq = ++nf->seq;
	g = mnl_nlmsg_put_extra_header(nf->nlh, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(resource);
	return nf->nlh;
}

static struct nlmsghdr *
begin(struct vs_nf *nf, enum nf_tables_msg_types type, uint16_t flags)
{
	return put_header(
	    nf, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_NETDEV, 0);
}

static void
end(struct vs_nf *nf)
{
	nf->len += MNL_ALIGN(nf->nlh->nlmsg_len);
	FAB_ASSERT(nf->len < sizeof(nf->batch));
}

static void
put_u32(struct nlmsghdr *n, uint16_t attr, uint32_t value)
{
	mnl_attr_put_u32(n, attr, htonl(value));
}

void
vs_nf_begin(struct vs_nf *nf)
{
	nf->len = 0;
	put_header(nf, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end(nf);
}

bool
vs_nf_is_full(const struct vs_nf *nf)
{
	return nf->len > BATCH_OCTETS - ONE_OCTETS;
}

/* ---- answers ---- */

struct answer {
	int error; /* the first one */
	vs_nf_elem_fn *fn;
	void (*table)(void *ctx, const char *name);
	void *ctx;
	bool done; /* of a list */
};

static int
counter_attr(const struct nlattr *a, void *ctx)
{
	struct vs_nf_elem *e = ctx;

	if (mnl_attr_get_payload_len(a) != sizeof(uint64_t))
		return MNL_CB_OK;
	if (mnl_attr_get_type(a) == NFTA_COUNTER_BYTES)
		e->octets = be64toh(mnl_attr_get_u64(a));
	else if (mnl_attr_get_type(a) == NFTA_COUNTER_PACKETS)
		e->packets = be64toh(mnl_attr_get_u64(a));
	return MNL_CB_OK;
}

/* The only expression that our elements have is their counter. */
static int
expr_attr(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == NFTA_EXPR_DATA)
		mnl_attr_parse_nested(a, counter_attr, ctx);
	return MNL_CB_OK;
}

static int
key_attr(const struct nlattr *a, void *ctx)
{
	struct vs_nf_elem *e = ctx;

	if (mnl_attr_get_type(a) == NFTA_DATA_VALUE) {
		e->key = mnl_attr_get_payload(a);
		e->key_len = mnl_attr_get_payload_len(a);
	}
	return MNL_CB_OK;
}

static int
elem_attr(const struct nlattr *a, void *ctx)
{
	switch (mnl_attr_get_type(a)) {
	case NFTA_SET_ELEM_KEY:
		mnl_attr_parse_nested(a, key_attr, ctx);
		break;
	case NFTA_SET_ELEM_EXPR:
		mnl_attr_parse_nested(a, expr_attr, ctx);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int
list_attr(const struct nlattr *a, void *ctx)
{
	const struct answer *answer = ctx;
	struct vs_nf_elem e = { .key = NULL };

	mnl_attr_parse_nested(a, elem_attr, &e);
	if (e.key != NULL && e.key_len <= VS_NF_KEY_MAX)
		answer->fn(answer->ctx, &e);
	return MNL_CB_OK;
}

static int
elems_attr(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == NFTA_SET_ELEM_LIST_ELEMENTS)
		mnl_attr_parse_nested(a, list_attr, ctx);
	return MNL_CB_OK;
}

static int
table_attr(const struct nlattr *a, void *ctx)
{
	const struct answer *answer = ctx;

	if (mnl_attr_get_type(a) == NFTA_TABLE_NAME &&
	    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		answer->table(answer->ctx, mnl_attr_get_str(a));
	return MNL_CB_OK;
}

static void
take_error(struct answer *answer, const struct nlmsghdr *m)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);

	if (answer->error == 0)
		answer->error = mnl_nlmsg_get_payload_len(m) >= sizeof(*e) ? -e->error : EBADMSG;
}

static void
take_message(struct answer *answer, const struct nlmsghdr *m)
{
	static const uint16_t ours = NFNL_SUBSYS_NFTABLES << 8;

	if (m->nlmsg_type == NLMSG_DONE)
		answer->done = true;
	else if (m->nlmsg_type == NLMSG_ERROR)
		take_error(answer, m);
	else if (mnl_nlmsg_get_payload_len(m) < sizeof(struct nfgenmsg))
		return;
	else if (answer->fn != NULL && (m->nlmsg_type == (ours | NFT_MSG_NEWSETELEM) ||
					   m->nlmsg_type == (ours | NFT_MSG_DELSETELEM)))
		mnl_attr_parse(m, sizeof(struct nfgenmsg), elems_attr, answer);
	else if (answer->table != NULL && m->nlmsg_type == (ours | NFT_MSG_NEWTABLE))
		mnl_attr_parse(m, sizeof(struct nfgenmsg), table_attr, answer);
}

/* Everything that the kernel has said by now; a list goes on while it is read. */
static void
read_answer(const struct vs_nf *nf, struct answer *answer)
{
	char buf[REPLY_OCTETS] __attribute__((aligned(8)));

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(nf->sock, buf, sizeof(buf), MSG_DONTWAIT);
		int left = (int)n;

		/* ENOBUFS: more than there was room for, which no refusal is. */
		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n <= 0)
			return;
		for (const struct nlmsghdr *m = (const void *)buf; mnl_nlmsg_ok(m, left);
		     m = mnl_nlmsg_next(m, &left))
			take_message(answer, m);
	}
}

static int
ask(struct vs_nf *nf, struct answer *answer)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(nf->sock, nf->batch, nf->len, MSG_DONTWAIT, (const struct sockaddr *)&kernel,
		sizeof(kernel)) < 0)
		answer->error = errno;
	else
		read_answer(nf, answer);
	nf->len = 0;
	return answer->error == 0 ? FAB_OK : fab_err_from_errno(answer->error);
}

int
vs_nf_commit(struct vs_nf *nf, const char *step, vs_nf_elem_fn *fn, void *ctx,
    char why[static VS_NF_WHY_MAX])
{
	struct answer answer = { .fn = fn, .ctx = ctx };
	int err;

	put_header(nf, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end(nf);
	if ((err = ask(nf, &answer)) != FAB_OK)
		snprintf(why, VS_NF_WHY_MAX, "nftables cannot %s: %s%s", step,
		    strerror(answer.error),
		    answer.error == EPERM ? "; this needs CAP_NET_ADMIN" : "");
	return err;
}

/* ---- tables, chains, maps ---- */

void
vs_nf_table_add(struct vs_nf *nf, const char *table)
{
	mnl_attr_put_strz(begin(nf, NFT_MSG_NEWTABLE, NLM_F_CREATE), NFTA_TABLE_NAME, table);
	end(nf);
}

void
vs_nf_table_del(struct vs_nf *nf, const char *table)
{
	mnl_attr_put_strz(begin(nf, NFT_MSG_DELTABLE, 0), NFTA_TABLE_NAME, table);
	end(nf);
}

void
vs_nf_chain_add(struct vs_nf *nf, const char *table, const char *chain, const char *dev)
{
	struct nlmsghdr *n = begin(nf, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;

	mnl_attr_put_strz(n, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(n, NFTA_CHAIN_NAME, chain);
	if (dev != NULL) {
		mnl_attr_put_strz(n, NFTA_CHAIN_TYPE, "filter");
		put_u32(n, NFTA_CHAIN_POLICY, NF_DROP);
		hook = mnl_attr_nest_start(n, NFTA_CHAIN_HOOK);
		put_u32(n, NFTA_HOOK_HOOKNUM, NF_NETDEV_INGRESS);
		put_u32(n, NFTA_HOOK_PRIORITY, 0);
		mnl_attr_put_strz(n, NFTA_HOOK_DEV, dev);
		mnl_attr_nest_end(n, hook);
	}
	end(nf);
}

static void
name_chain(struct vs_nf *nf, enum nf_tables_msg_types type, const char *table, const char *chain)
{
	struct nlmsghdr *n = begin(nf, type, 0);
	bool rule = type == NFT_MSG_DELRULE;

	mnl_attr_put_strz(n, rule ? NFTA_RULE_TABLE : NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(n, rule ? NFTA_RULE_CHAIN : NFTA_CHAIN_NAME, chain);
	end(nf);
}

void
vs_nf_chain_del(struct vs_nf *nf, const char *table, const char *chain)
{
	name_chain(nf, NFT_MSG_DELCHAIN, table, chain);
}

void
vs_nf_chain_flush(struct vs_nf *nf, const char *table, const char *chain)
{
	name_chain(nf, NFT_MSG_DELRULE, table, chain);
}

void
vs_nf_map_add(struct vs_nf *nf, const struct vs_nf_map *m)
{
	struct nlmsghdr *n = begin(nf, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nlattr *nest;

	mnl_attr_put_strz(n, NFTA_SET_TABLE, m->table);
	mnl_attr_put_strz(n, NFTA_SET_NAME, m->name);
	put_u32(n, NFTA_SET_FLAGS, NFT_SET_MAP);
	put_u32(n, NFTA_SET_KEY_TYPE, m->key_type);
	put_u32(n, NFTA_SET_KEY_LEN, m->key_len);
	put_u32(n, NFTA_SET_DATA_TYPE, m->data_type);
	put_u32(n, NFTA_SET_DATA_LEN, m->data_len);
	put_u32(n, NFTA_SET_ID, nf->seq);
	nest = mnl_attr_nest_start(n, NFTA_SET_DESC);
	put_u32(n, NFTA_SET_DESC_SIZE, m->size);
	mnl_attr_nest_end(n, nest);
	if (m->counts) {
		nest = mnl_attr_nest_start(n, NFTA_SET_EXPR);
		mnl_attr_put_strz(n, NFTA_EXPR_NAME, "counter");
		mnl_attr_nest_end(n, nest);
	}
	end(nf);
}

static struct nlmsghdr *
begin_elems(
    struct vs_nf *nf, enum nf_tables_msg_types type, uint16_t flags, const struct vs_nf_map *m)
{
	struct nlmsghdr *n = begin(nf, type, flags);

	mnl_attr_put_strz(n, NFTA_SET_ELEM_LIST_TABLE, m->table);
	mnl_attr_put_strz(n, NFTA_SET_ELEM_LIST_SET, m->name);
	return n;
}

static void
put_value(struct nlmsghdr *n, uint16_t attr, const void *value, size_t len)
{
	struct nlattr *data = mnl_attr_nest_start(n, attr);

	mnl_attr_put(n, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(n, data);
}

void
vs_nf_elem_add(struct vs_nf *nf, const struct vs_nf_map *m, const void *key, const void *data)
{
	struct nlmsghdr *n = begin_elems(nf, NFT_MSG_NEWSETELEM, NLM_F_CREATE, m);
	struct nlattr *list = mnl_attr_nest_start(n, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *elem = mnl_attr_nest_start(n, NFTA_LIST_ELEM);

	put_value(n, NFTA_SET_ELEM_KEY, key, m->key_len);
	put_value(n, NFTA_SET_ELEM_DATA, data, m->data_len);
	mnl_attr_nest_end(n, elem);
	mnl_attr_nest_end(n, list);
	end(nf);
}

void
vs_nf_elem_del(struct vs_nf *nf, const struct vs_nf_map *m, const void *key)
{
	struct nlmsghdr *n = begin_elems(nf, NFT_MSG_DELSETELEM, NLM_F_ECHO, m);
	struct nlattr *list = mnl_attr_nest_start(n, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *elem = mnl_attr_nest_start(n, NFTA_LIST_ELEM);

	put_value(n, NFTA_SET_ELEM_KEY, key, m->key_len);
	mnl_attr_nest_end(n, elem);
	mnl_attr_nest_end(n, list);
	end(nf);
}

void
vs_nf_map_flush(struct vs_nf *nf, const struct vs_nf_map *m)
{
	begin_elems(nf, NFT_MSG_DELSETELEM, 0, m);
	end(nf);
}

/* ---- rules ---- */

void
vs_nf_rule_begin(struct vs_nf *nf, const char *table, const char *chain)
{
	struct nlmsghdr *n = begin(nf, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	mnl_attr_put_strz(n, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(n, NFTA_RULE_CHAIN, chain);
	nf->exprs = mnl_attr_nest_start(n, NFTA_RULE_EXPRESSIONS);
}

void
vs_nf_rule_end(struct vs_nf *nf)
{
	mnl_attr_nest_end(nf->nlh, nf->exprs);
	end(nf);
}

struct expr {
	struct nlmsghdr *n;
	struct nlattr *elem, *data;
};

static struct expr
expr_begin(struct vs_nf *nf, const char *name)
{
	struct expr e = { .n = nf->nlh };

	e.elem = mnl_attr_nest_start(e.n, NFTA_LIST_ELEM);
	mnl_attr_put_strz(e.n, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(e.n, NFTA_EXPR_DATA);
	return e;
}

static void
expr_end(const struct expr *e)
{
	mnl_attr_nest_end(e->n, e->data);
	mnl_attr_nest_end(e->n, e->elem);
}

void
vs_nf_load_meta(struct vs_nf *nf, unsigned reg, enum nft_meta_keys key)
{
	struct expr e = expr_begin(nf, "meta");

	put_u32(e.n, NFTA_META_KEY, key);
	put_u32(e.n, NFTA_META_DREG, reg);
	expr_end(&e);
}

static void
put_payload(struct expr *e, enum nft_payload_bases base, unsigned at, unsigned len)
{
	put_u32(e->n, NFTA_PAYLOAD_BASE, base);
	put_u32(e->n, NFTA_PAYLOAD_OFFSET, at);
	put_u32(e->n, NFTA_PAYLOAD_LEN, len);
}

void
vs_nf_load(struct vs_nf *nf, unsigned reg, enum nft_payload_bases base, unsigned at, unsigned len)
{
	struct expr e = expr_begin(nf, "payload");

	put_u32(e.n, NFTA_PAYLOAD_DREG, reg);
	put_payload(&e, base, at, len);
	expr_end(&e);
}

void
vs_nf_store(struct vs_nf *nf, unsigned reg, enum nft_payload_bases base, unsigned at, unsigned len)
{
	struct expr e = expr_begin(nf, "payload");

	put_u32(e.n, NFTA_PAYLOAD_SREG, reg);
	put_payload(&e, base, at, len);
	put_u32(e.n, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_NONE);
	expr_end(&e);
}

void
vs_nf_mask(struct vs_nf *nf, unsigned reg, const void *mask, unsigned len)
{
	static const uint8_t zero[VS_NF_KEY_MAX];
	struct expr e = expr_begin(nf, "bitwise");

	put_u32(e.n, NFTA_BITWISE_SREG, reg);
	put_u32(e.n, NFTA_BITWISE_DREG, reg);
	put_u32(e.n, NFTA_BITWISE_LEN, len);
	put_value(e.n, NFTA_BITWISE_MASK, mask, len);
	put_value(e.n, NFTA_BITWISE_XOR, zero, len);
	expr_end(&e);
}

void
vs_nf_check(struct vs_nf *nf, unsigned reg, enum nft_cmp_ops op, const void *value, unsigned len)
{
	struct expr e = expr_begin(nf, "cmp");

	put_u32(e.n, NFTA_CMP_SREG, reg);
	put_u32(e.n, NFTA_CMP_OP, op);
	put_value(e.n, NFTA_CMP_DATA, value, len);
	expr_end(&e);
}

void
vs_nf_set(struct vs_nf *nf, unsigned reg, const void *value, unsigned len)
{
	struct expr e = expr_begin(nf, "immediate");

	put_u32(e.n, NFTA_IMMEDIATE_DREG, reg);
	put_value(e.n, NFTA_IMMEDIATE_DATA, value, len);
	expr_end(&e);
}

void
vs_nf_look_up(struct vs_nf *nf, const struct vs_nf_map *m, unsigned reg, unsigned dreg)
{
	struct expr e = expr_begin(nf, "lookup");

	mnl_attr_put_strz(e.n, NFTA_LOOKUP_SET, m->name);
	put_u32(e.n, NFTA_LOOKUP_SREG, reg);
	put_u32(e.n, NFTA_LOOKUP_DREG, dreg);
	expr_end(&e);
}

void
vs_nf_forward(struct vs_nf *nf, unsigned reg)
{
	struct expr e = expr_begin(nf, "fwd");

	put_u32(e.n, NFTA_FWD_SREG_DEV, reg);
	expr_end(&e);
}

/* ---- questions ---- */

int
vs_nf_each_elem(struct vs_nf *nf, const char *table, const char *map, vs_nf_elem_fn *fn, void *ctx)
{
	struct answer answer = { .fn = fn, .ctx = ctx };
	struct nlmsghdr *n;

	nf->len = 0;
	n = begin(nf, NFT_MSG_GETSETELEM, NLM_F_DUMP);
	mnl_attr_put_strz(n, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(n, NFTA_SET_ELEM_LIST_SET, map);
	end(nf);
	return ask(nf, &answer);
}

int
vs_nf_each_table(struct vs_nf *nf, void (*fn)(void *ctx, const char *name), void *ctx)
{
	struct answer answer = { .table = fn, .ctx = ctx };

	nf->len = 0;
	begin(nf, NFT_MSG_GETTABLE, NLM_F_DUMP);
	end(nf);
	return ask(nf, &answer);
}
