#ifndef LIB_BGP_MRT_H
#define LIB_BGP_MRT_H
/*
 * A record of all BGP messages and state changes of this process in MRT format (RFC 6396,
 * BGP4MP_ET), for bgpdump, Wireshark and the like. Messages over NNG are written as RFC 4271 has
 * them. The sender is the record's peer, so a file reads the same whoever wrote it. One file for
 * the process; nothing is recorded before bgp_mrt_open(), and that costs one comparison for each
 * message.
 */
#include "lib/bgp_session.h"

#define BGP_MRT_FILE_MAX (64u << 20) /* octets of a file; then nothing more is recorded */

/* Appends to it; each record is one write(2), so a process that is killed leaves whole ones.
 * FAB_EIO: see errno. */
int bgp_mrt_open(const char *path);
void bgp_mrt_close(void);
bool bgp_mrt_is_open(void);

/* What a record says of a session. */
struct bgp_mrt_ends {
	const struct bgp_session_conf *conf;
	bool as4; /* negotiated; AS_PATHs on TCP have four octets */
};

/* A message as it travels over the session's transport; out: we send it. */
void bgp_mrt_message(const struct bgp_mrt_ends *e, bool out, const uint8_t *data, size_t len);
void bgp_mrt_state(const struct bgp_mrt_ends *e, enum bgp_state before, enum bgp_state now);

#endif
