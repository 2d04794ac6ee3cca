#include "vswitchd/vs_fib.h"

#include "lib/err.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

int
vs_fib_rule(int rtnl, const struct vs_fib_rule *rule, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	struct fib_rule_hdr *h = rtnl_init(&r, rtnl, "set a routing rule", rule->type,
	    rule->type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*h));
	int err;

	h->family = AF_INET;
	h->table = rule->table;
	h->action = FR_ACT_TO_TBL;
	h->dst_len = rule->dst_len;
	mnl_attr_put_u32(r.nlh, FRA_PRIORITY, rule->priority);
	if (rule->iif != NULL)
		mnl_attr_put_strz(r.nlh, FRA_IIFNAME, rule->iif);
	if (rule->dst_len > 0)
		mnl_attr_put_u32(r.nlh, FRA_DST, htonl(rule->dst));
	if (rule->no_default)
		mnl_attr_put_u32(r.nlh, FRA_SUPPRESS_PREFIXLEN, 0);
	err = rtnl_send(&r, why);
	return err == FAB_EEXIST || err == FAB_ENOENT ? FAB_OK : err;
}
