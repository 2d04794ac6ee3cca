#include "vswitchd/vs_answer.h"

#include "lib/err.h"
#include "lib/topo.h"
#include "vswitchd/vs_fib.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LO_INDEX 1 /* of every namespace */

/* By an earlier vswitchd. */
static int
done_already(int err)
{
	return err == FAB_EEXIST ? FAB_OK : err;
}

/* In the table that says which addresses are local. */
static int
local_route(int sock, uint8_t type, uint32_t dst, uint8_t len, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	struct rtmsg *m = rtnl_init(
	    &r, sock, "take every address", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_table = RT_TABLE_LOCAL;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->rtm_type = type;
	m->rtm_dst_len = len;
	if (len > 0)
		mnl_attr_put_u32(r.nlh, RTA_DST, htonl(dst));
	if (type == RTN_LOCAL)
		mnl_attr_put_u32(r.nlh, RTA_OIF, LO_INDEX);
	return done_already(rtnl_send(&r, why));
}

/* What is sent must not be local too: only what comes in, and 127.0.0.0/8, looks there. The gateway
 * of the own address is somebody else. */
int
vs_answer_all(int rtnl, const char *iface, char why[static VS_WHY_MAX])
{
	const struct vs_fib_rule rules[] = {
		{ .type = RTM_NEWRULE, .iif = iface, .table = RT_TABLE_LOCAL, .priority = 1 },
		{ .type = RTM_NEWRULE,
		    .dst = 0x7f000000,
		    .dst_len = 8,
		    .table = RT_TABLE_LOCAL,
		    .priority = 2 },
		{ .type = RTM_DELRULE, .table = RT_TABLE_LOCAL, .priority = 0 },
	};
	int err = local_route(rtnl, RTN_LOCAL, 0, 0, why);

	if (err == FAB_OK)
		err = local_route(rtnl, RTN_THROW, TOPO_INTERNET_IP + 1, 32, why);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && err == FAB_OK; i++)
		err = vs_fib_rule(rtnl, &rules[i], why);
	return err;
}
