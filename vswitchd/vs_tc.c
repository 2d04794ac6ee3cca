#include "vswitchd/vs_tc.h"

#include "lib/err.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#define PRIORITY 1
#define HANDLE   1 /* the same each time: the kernel replaces the program in one step */

static struct tcmsg *
request(
    struct rtnl_request *r, int rtnl, const char *step, uint16_t type, uint16_t flags, int ifindex)
{
	struct tcmsg *t = rtnl_init(r, rtnl, step, type, flags, sizeof(*t));

	t->tcm_family = AF_UNSPEC;
	t->tcm_ifindex = ifindex;
	return t;
}

static int
put_qdisc(int rtnl, int ifindex, char why[static RTNL_WHY_MAX])
{
	struct rtnl_request r;
	struct tcmsg *t = request(&r, rtnl, "make room for a BPF program (clsact)", RTM_NEWQDISC,
	    NLM_F_CREATE | NLM_F_EXCL, ifindex);
	int err;

	t->tcm_parent = TC_H_CLSACT;
	t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(r.nlh, TCA_KIND, "clsact");
	err = rtnl_send(&r, why);
	return err == FAB_EEXIST ? FAB_OK : err;
}

static void
name_filter(struct tcmsg *t, struct rtnl_request *r)
{
	t->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	t->tcm_handle = HANDLE;
	t->tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(r->nlh, TCA_KIND, "bpf");
}

int
vs_tc_attach(int rtnl, int ifindex, int program, uint32_t class, char why[static RTNL_WHY_MAX])
{
	struct rtnl_request r;
	struct nlattr *options;
	int err = put_qdisc(rtnl, ifindex, why);

	if (err != FAB_OK)
		return err;
	name_filter(
	    request(&r, rtnl, "attach the BPF program", RTM_NEWTFILTER, NLM_F_CREATE, ifindex), &r);
	options = mnl_attr_nest_start(r.nlh, TCA_OPTIONS);
	mnl_attr_put_u32(r.nlh, TCA_BPF_FD, (uint32_t)program);
	mnl_attr_put_strz(r.nlh, TCA_BPF_NAME, "hubspoke");
	mnl_attr_put_u32(r.nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_put_u32(r.nlh, TCA_BPF_CLASSID, class);
	mnl_attr_nest_end(r.nlh, options);
	return rtnl_send(&r, why);
}

int
vs_tc_detach(int rtnl, int ifindex, char why[static RTNL_WHY_MAX])
{
	struct rtnl_request r;

	name_filter(request(&r, rtnl, "detach the BPF program", RTM_DELTFILTER, 0, ifindex), &r);
	return rtnl_send(&r, why);
}
