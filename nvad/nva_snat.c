#include "nvad/nva_snat.h"

#include "lib/attach.h"
#include "lib/ipnet.h"

#include <stdio.h>

#define TABLE "hubspoke-snat"

/* What the Internet does not route (SYS-3) is none of its business. Adding a table that is there
 * does nothing, so that deleting it never fails. */
#define CLEAR "add table ip " TABLE "\ndelete table ip " TABLE "\n"
#define SET                                                                                        \
	"table ip " TABLE " {\n"                                                                   \
	"	chain out {\n"                                                                           \
	"		type nat hook postrouting priority srcnat;\n"                                           \
	"		oifname { \"" ATTACH_IFACE "\", \"" ATTACH_BESIDE                          \
	"\" } ip saddr != %s ip daddr != { 10.0.0.0/8, "                                           \
	"100.64.0.0/10, "                                                                          \
	"172.16.0.0/12, 192.168.0.0/16 } snat to %s\n"                                             \
	"	}\n"                                                                                     \
	"}\n"

int
nva_snat_apply(bool on, uint32_t ip, char why[static NVA_NFT_WHY_MAX])
{
	char text[sizeof(CLEAR) + sizeof(SET) + 2 * IPADDR_STRLEN], addr[IPADDR_STRLEN];

	ipaddr_format(addr, ip);
	if (on)
		snprintf(text, sizeof(text), CLEAR SET, addr, addr);
	else
		snprintf(text, sizeof(text), CLEAR);
	return nva_nft_run(text, "set source NAT", why);
}
