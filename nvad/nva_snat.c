#include "nvad/nva_snat.h"

#include "lib/err.h"
#include "lib/ipnet.h"

#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

#define TABLE "hubspoke-snat"

/* What the Internet does not route (SYS-3) is none of its business. Adding a table that is there
 * does nothing, so that deleting it never fails. */
#define CLEAR "add table ip " TABLE "\ndelete table ip " TABLE "\n"
#define SET                                                                                        \
	"table ip " TABLE " {\n"                                                                   \
	"	chain out {\n"                                                                           \
	"		type nat hook postrouting priority srcnat;\n"                                           \
	"		oifname \"eth0\" ip saddr != %s ip daddr != { 10.0.0.0/8, 100.64.0.0/10, "              \
	"172.16.0.0/12, 192.168.0.0/16 } snat to %s\n"                                             \
	"	}\n"                                                                                     \
	"}\n"

/* The first line of what nftables says. */
static void
explain(char why[static NVA_SNAT_WHY_MAX], const char *said)
{
	int len = said != NULL ? (int)strcspn(said, "\n") : 0;

	snprintf(why, NVA_SNAT_WHY_MAX, "cannot set source NAT: %.*s", len > 0 ? len : 16,
	    len > 0 ? said : "nftables refused");
}

int
nva_snat_apply(bool on, uint32_t ip, char why[static NVA_SNAT_WHY_MAX])
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	char text[sizeof(CLEAR) + sizeof(SET) + 2 * IPADDR_STRLEN], addr[IPADDR_STRLEN];
	int err = FAB_EIO;

	if (nft == NULL) {
		explain(why, "out of memory");
		return FAB_EIO;
	}
	ipaddr_format(addr, ip);
	if (on)
		snprintf(text, sizeof(text), CLEAR SET, addr, addr);
	else
		snprintf(text, sizeof(text), CLEAR);
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, text) == 0)
		err = FAB_OK;
	else
		explain(why, nft_ctx_get_error_buffer(nft));
	nft_ctx_free(nft);
	return err;
}
