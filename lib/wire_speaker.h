#ifndef LIB_WIRE_SPEAKER_H
#define LIB_WIRE_SPEAKER_H
/*
 * The Speaker service over a struct speaker: peers, Adj-RIB-In, Adj-RIB-Out and the RIB as
 * messages. The functions that build replies need no connection, so tests call them.
 */
#include "lib/bgp_speaker.h"
#include "lib/rpc.h"
#include "proto/speaker.pb-c.h"

/* What a role says about a row beyond the attributes (RS-110, RS-111, ER-17, VPN-15). */
struct wire_row {
	uint32_t weight;
	bool network; /* originated here, "Network" rows */
};

enum wire_listing { WIRE_LEARNED, WIRE_ADVERTISED, WIRE_RIB };

struct wire_speaker {
	struct speaker *sp;
	uint32_t address;    /* of this node: local_address of rows without a peer */
	bool own_in_learned; /* ListLearned of all peers also lists originations (ER-17) */
	/* Edits the row that was filled in; may be NULL: weight is the path's own. */
	void (*row)(void *ctx, enum wire_listing what, const struct speaker_peer *peer,
	    struct wire_row *row);
	void *ctx;
};

/* Rows of the Speaker service; ctx is a struct wire_speaker, to be given to fab_rpc_server_add() or
 * node_serve() with fab__v1__speaker__descriptor. */
extern const struct fab_rpc_handler wire_speaker_table[];

/* Replies; free with the generated free_unpacked(reply, NULL). NULL: out of memory. which: a peer's
 * name, its address, or "" for all; *found says whether there is one. */
Fab__V1__PeerList *wire_speaker_peers(const struct wire_speaker *ws);
Fab__V1__BgpRouteList *wire_speaker_learned(
    const struct wire_speaker *ws, const char *which, bool *found);
Fab__V1__BgpRouteList *wire_speaker_advertised(
    const struct wire_speaker *ws, const char *which, bool *found);
Fab__V1__BgpRouteList *wire_speaker_routes(const struct wire_speaker *ws);

#endif
