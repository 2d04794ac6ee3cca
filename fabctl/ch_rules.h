#ifndef FABCTL_CH_RULES_H
#define FABCTL_CH_RULES_H
/*
 * Which of Azure's rules explains what chaos saw, and what would mend it.
 */
#include "fabctl/ch_plan.h"
#include "fabctl/ch_watch.h"
#include "lib/topo.h"

/* All of these return static text, or look's own rule. */

/* Of a packet that does not arrive with everything in order. src, dst: names of endpoints. */
const char *ch_rule_of_loss(
    const struct topo *t, const char *src, const char *dst, const struct ch_look *look);
/* It is what the design asks for: a filter, or the sender's own route table. */
bool ch_is_wanted(
    const struct topo *t, const char *src, const char *dst, const struct ch_look *look);
/* How the network takes a fault of this element. "" if no rule says. */
const char *ch_rule_of_fault(const struct topo *t, const struct ch_step *s);
/* What would mend a design that breaks this rule; "" if nothing is known. */
const char *ch_fix_of(const char *rule);

#endif
