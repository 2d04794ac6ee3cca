#ifndef FABRICD_FC_URL_H
#define FABRICD_FC_URL_H
/*
 * Where the nodes are: URL templates with one %s for the node's name, such as
 * "ipc:///run/hubspoke/%s.ipc".
 */
#include <stdbool.h>
#include <stddef.h>

#define FC_URL_MAX 256

struct fc_urls {
	const char *node; /* Node and Speaker; NULL: where the node says that it listens */
	const char *bgp;  /* BGP over NNG */
	bool packets;     /* NVAs stand in the network namespaces of their NICs */
};

/* FAB_EINVAL unless text has exactly one %s, no other %, and a known scheme. */
int fc_url_check(const char *text);
/* The template with the name filled in. FAB_ETOOBIG. */
int fc_url_format(char buf[static FC_URL_MAX], const char *text, const char *name);
/* "ipc:///run/x/fabricd.ipc" -> "/run/x"; FAB_EINVAL for other schemes. */
int fc_url_run_dir(char *buf, size_t size, const char *listen_url);

#endif
