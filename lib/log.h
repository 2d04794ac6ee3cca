#ifndef LIB_LOG_H
#define LIB_LOG_H
/*
 * Log lines on standard error: "2026-11-23T10:00:00.123456Z info rs1-0: peer nva1 (10.1.2.4): ...".
 *
 * error: someone needs to act, or a session and its routes were lost. warn: one thing was refused
 * and we go on. info: state changes and lifecycle. debug: everything else, off by default. Code in
 * lib/ logs at debug only; the daemon that knows the meaning logs, once.
 */
#include <stdbool.h>

enum fab_log_level { FAB_LOG_ERROR, FAB_LOG_WARN, FAB_LOG_INFO, FAB_LOG_DEBUG, FAB_LOG_COUNT };

/* Sets the name that each line carries (copied, at most 63 characters). */
void fab_log_init(const char *name, enum fab_log_level level);
void fab_log_set_level(enum fab_log_level level);
bool fab_log_enabled(enum fab_log_level level);
/* "warn" -> FAB_LOG_WARN; FAB_EINVAL for other words. */
int fab_log_level_parse(enum fab_log_level *out, const char *word);

void fab_log(enum fab_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define fab_error(...) fab_log(FAB_LOG_ERROR, __VA_ARGS__)
#define fab_warn(...)  fab_log(FAB_LOG_WARN, __VA_ARGS__)
#define fab_info(...)  fab_log(FAB_LOG_INFO, __VA_ARGS__)
#define fab_debug(...)                                                                             \
	do {                                                                                       \
		if (fab_log_enabled(FAB_LOG_DEBUG))                                                \
			fab_log(FAB_LOG_DEBUG, __VA_ARGS__);                                       \
	} while (0)

#endif
