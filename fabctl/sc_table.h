#ifndef FABCTL_SC_TABLE_H
#define FABCTL_SC_TABLE_H
/*
 * Tables of routes against what a scenario says of them. What is said of a prefix:
 *
 *   effective routes   "10.1.2.4 10.1.2.5", "Internet", "VirtualNetworkGateway 10.1.2.4", with the
 *                      source before it ("User Internet"), or "Invalid" for a row that is not used
 *   BGP routes         words "via ADDRESS...", "path 65001-64901" ("none": empty), "community
 * C...", "from ADDRESS", "origin IBgp", any of them
 *
 * "" is anything. The next hops of a BGP prefix are those of its best route and of all with the
 * same path; all routes where none is marked as best.
 */
#include "fabctl/sc_file.h"

#include <jansson.h>

/* {"": {prefix: [row ...]}}, or one such object for each instance of a Route Server, of an answer
 * of `fabctl -o json routes effective` and the like. */
json_t *sc_table_make(const json_t *answer);

/* "" if all is as expected, else a line for each prefix that is missing (-) or there against
 * expectation (+). malloc()ed. */
char *sc_table_diff(const json_t *tables, const struct sc_step *s);

#endif
