#ifndef FABCTL_SC_CALL_H
#define FABCTL_SC_CALL_H
/*
 * fabctl called by a scenario: this same program in a process of its own, so that a step does
 * exactly what a user's command line does.
 */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SC_OUTPUT_MAX (1u << 20) /* of either stream; what is longer is cut */

/* Set by a signal: the call under way is told to end; later ones run as ever, to clean up. */
extern volatile sig_atomic_t sc_interrupted;

struct sc_call {
	pid_t pid;
	int out, err; /* pipes, -1: at their end */
	char *text[2];
	size_t len[2];
	int status; /* exit code, 128 + signal; after sc_call_end() */
};

/* words: of the command line behind "fabctl [-o json] --url URL", end with NULL; url may be NULL.
 * FAB_EIO: see errno. */
int sc_call_begin(
    struct sc_call *c, const char *dir, const char *url, bool json, const char *const *words);
/* Waits for its end and reads what it says. */
void sc_call_end(struct sc_call *c);
void sc_call_fini(struct sc_call *c);

/* What it printed, and what it complained of: one line without the program's name. */
const char *sc_call_out(const struct sc_call *c);
const char *sc_call_why(struct sc_call *c);

/* The three in one; the exit code, 127 if it could not be started. */
int sc_call(
    struct sc_call *c, const char *dir, const char *url, bool json, const char *const *words);
/* A command line of the shell instead; the exit code as above. */
int sc_call_shell(struct sc_call *c, const char *dir, const char *command);

#endif
