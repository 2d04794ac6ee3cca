#ifndef NVAD_NVA_ROLE_H
#define NVAD_NVA_ROLE_H
/*
 * The reference NVA and the on-premises router, as a role of lib/wire_node: sections 7 (MR-*) and 8
 * of the semantics. What it does to routes is in nva_policy.h, what it originates in nva_own.h.
 */
#include "lib/wire_node.h"

extern const struct wire_role nva_role;

#endif
