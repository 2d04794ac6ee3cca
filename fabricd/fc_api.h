#ifndef FABRICD_FC_API_H
#define FABRICD_FC_API_H
/*
 * Service Fabric: one handler per method of proto/fabric.proto, a row each. The fc_api*.c files are
 * its border: they turn requests into calls of the modules and what these answer into messages.
 */
#include "fabricd/fc.h"
#include "lib/rpc.h"

/* ctx of the rows is a struct fc. */
extern const struct fab_rpc_handler fc_api_table[];
/* Service Node of fabricd itself; ctx as above. */
extern const struct fab_rpc_handler fc_self_table[];

#endif
