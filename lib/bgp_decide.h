#ifndef LIB_BGP_DECIDE_H
#define LIB_BGP_DECIDE_H
/*
 * The decision process of RFC 4271 9.1 among paths of one prefix, as a pure function of numbers.
 * speaker_decide() fills in the candidates.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BGP_DECIDE_MAX 64 /* candidates */

/* In the order of the steps. */
struct bgp_candidate {
	uint32_t weight;      /* of the role, higher wins; not part of BGP */
	bool local;           /* originated here */
	uint32_t local_pref;  /* higher wins */
	uint16_t path_len;    /* an AS_SET counts 1 */
	uint8_t origin;       /* IGP < EGP < INCOMPLETE */
	uint32_t med;         /* compared between routes of the same neighbouring AS; none is 0 */
	uint32_t neighbor_as; /* first of AS_PATH, 0 if it is empty */
	bool ibgp;
	bool current;       /* the winner so far */
	uint32_t router_id; /* of the peer */
	uint32_t peer_addr;
};

/* Index of the winner; 1 <= n <= BGP_DECIDE_MAX. stable: RFC 5004. step (may be NULL) receives the
 * number of the step that left one candidate, 0 if there was only one. */
size_t bgp_decide(const struct bgp_candidate *c, size_t n, bool stable, unsigned *step);

#endif
