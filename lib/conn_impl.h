#ifndef LIB_CONN_IMPL_H
#define LIB_CONN_IMPL_H
/*
 * Between conn.c (connections) and conn_dial.c (what makes them); nobody else includes this.
 */
#include "lib/conn.h"

#include <nng/nng.h>

/* Takes over stream, also on failure (NULL: out of memory). */
struct fab_conn *fab_conn_new(struct fab_loop *loop, nng_stream *stream);

/* The fab_err that stands for an NNG error. */
int fab_err_from_nng(int rv);

#endif
