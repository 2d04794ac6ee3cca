#include "nvad/nva_nft.h"

#include "lib/err.h"

#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

/* The first line of what nftables says. */
static void
explain(const char *what, const char *said, char why[static NVA_NFT_WHY_MAX])
{
	int len = said != NULL ? (int)strcspn(said, "\n") : 0;

	snprintf(why, NVA_NFT_WHY_MAX, "cannot %s: %.*s", what, len > 0 ? len : 16,
	    len > 0 ? said : "nftables refused");
}

int
nva_nft_run(const char *commands, const char *what, char why[static NVA_NFT_WHY_MAX])
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int err = FAB_OK;

	if (nft == NULL) {
		explain(what, "out of memory", why);
		return FAB_EIO;
	}
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, commands) != 0) {
		explain(what, nft_ctx_get_error_buffer(nft), why);
		err = FAB_EIO;
	}
	nft_ctx_free(nft);
	return err;
}
