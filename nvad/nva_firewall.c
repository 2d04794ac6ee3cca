#include "nvad/nva_firewall.h"

#define TABLE "hubspoke-firewall"

/* Adding a table that is there does nothing, so that deleting it never fails. */
#define CLEAR "add table ip " TABLE "\ndelete table ip " TABLE "\n"
#define SET                                                                                        \
	"table ip " TABLE " {\n"                                                                   \
	"	chain through {\n"                                                                       \
	"		type filter hook forward priority filter; policy accept;\n"                             \
	"		ct state established,related accept\n"                                                  \
	"		ct state invalid counter drop\n"                                                        \
	"		ct state new tcp flags & (fin | syn | rst | ack) != syn counter drop\n"                 \
	"	}\n"                                                                                     \
	"}\n"

int
nva_firewall_apply(bool on, char why[static NVA_NFT_WHY_MAX])
{
	return nva_nft_run(on ? CLEAR SET : CLEAR, "be a stateful firewall", why);
}
