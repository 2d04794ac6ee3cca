#ifndef LIB_WIRE_REPORT_H
#define LIB_WIRE_REPORT_H
/*
 * A speaker's changes as ReportItems: routes grouped by all but the prefix, sessions, status. The
 * same rows come out of a delta and of a snapshot, whatever the order in which routes arrived: next
 * hops are sorted, and the path shown for an ECMP set is that of its lowest next hop.
 */
#include "lib/bgp_speaker.h"
#include "proto/control.pb-c.h"

#define WIRE_NEXT_HOPS_MAX  SPEAKER_PATHS_MAX
#define WIRE_BATCH_PREFIXES 20000 /* of one RouteBatch; a larger change is cut */

/* What fabricd is told about one prefix. */
struct wire_route {
	enum hrp_source source;
	uint32_t weight;
	uint32_t next_hops[WIRE_NEXT_HOPS_MAX]; /* ascending, no duplicates */
	size_t n_next_hops;
	const struct bgp_attrs *path; /* its AS_PATH is reported */
	const char *peer;             /* "": originated here */
};

/* Fills out from the winners of one prefix. False: nothing is reported for it (what was is
 * withdrawn). */
typedef bool wire_route_fn(void *ctx, const struct ipnet *prefix,
    const struct speaker_path *const *best, size_t n_best, struct wire_route *out);
/* The usual one, and a start for others: learned routes only, next hops of all winners, class,
 * weight and peer of the lowest. ctx is not used. */
bool wire_route_learned(void *ctx, const struct ipnet *prefix,
    const struct speaker_path *const *best, size_t n_best, struct wire_route *out);
/* The same, own originations included (nvad). */
bool wire_route_any(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best,
    size_t n_best, struct wire_route *out);
/* Sorts and de-duplicates next_hops. */
void wire_route_tidy(struct wire_route *r);

/* Gets each item; a stream's put function in a snapshot, node_report() otherwise. */
typedef void wire_report_fn(void *arg, const Fab__V1__ReportItem *item);

struct wire_report_to {
	wire_report_fn *send;
	void *arg;
};

/* One turn's changes. */
void wire_report_changes(const struct wire_report_to *to, wire_route_fn *fn, void *ctx,
    const struct speaker_change *changes, size_t n, const struct speaker_cause *cause);
/* Every prefix of the RIB, as announcements. */
void wire_report_routes(
    const struct wire_report_to *to, wire_route_fn *fn, void *ctx, struct speaker *sp);
/* State of one session; reason is why it went down, NULL or "" otherwise. */
void wire_report_session(
    const struct wire_report_to *to, struct speaker_peer *p, const char *reason);
/* A session that the node itself ended: removed, shut, standing by. */
void wire_report_session_gone(const struct wire_report_to *to, const char *peer);
void wire_report_status(
    const struct wire_report_to *to, uint64_t generation, bool converged, uint32_t routes);
/* A line for the log of the fabric. */
void wire_report_notice(const struct wire_report_to *to, const char *text);

#endif
