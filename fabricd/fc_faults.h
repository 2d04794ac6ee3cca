#ifndef FABRICD_FC_FAULTS_H
#define FABRICD_FC_FAULTS_H
/*
 * What is broken now, as far as somebody announced it (NoteFault, Link) or a node reported it. The
 * layers say where routes lead; this says whether what they lead to still stands. Trace asks it,
 * and so does the condition "settled".
 *
 * A fault that was announced counts from then on: without packets a process stands for its machine,
 * and one that was killed or hangs forwards nothing from that moment, whenever the others find out.
 * A note ends with the next one that repairs, or when the node's process says hello again.
 */
#include "fabricd/fc.h"

enum fc_down { FC_DOWN_NOT, FC_DOWN_DEAD, FC_DOWN_HUNG };

/* Tells the layers whom to ask. */
int fc_faults_new(struct fc_faults **out, struct fc *f);
void fc_faults_free(struct fc_faults *fs);

/* action: of a FaultNote, "kill", "pause", "start", ... Names that are no nodes are ignored. */
void fc_faults_note(struct fc_faults *fs, const char *action, const char *node);
/* A process of that name has come. */
void fc_faults_hello(struct fc_faults *fs, const char *node);
enum fc_down fc_faults_down(const struct fc_faults *fs, const char *node);

/* What node a says of its session with b. */
bool fc_faults_session_is_down(const struct fc *f, const char *a, const char *b);

#endif
