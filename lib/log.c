#include "lib/log.h"

#include "lib/clock.h"
#include "lib/err.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

static char log_name[64] = "-";
static _Atomic int log_level = FAB_LOG_INFO;

static const char *const level_names[FAB_LOG_COUNT] = {
	[FAB_LOG_ERROR] = "error",
	[FAB_LOG_WARN] = "warn",
	[FAB_LOG_INFO] = "info",
	[FAB_LOG_DEBUG] = "debug",
};

void
fab_log_init(const char *name, enum fab_log_level level)
{
	snprintf(log_name, sizeof(log_name), "%s", name);
	log_level = level;
}

void
fab_log_set_level(enum fab_log_level level)
{
	log_level = level;
}

bool
fab_log_enabled(enum fab_log_level level)
{
	return (int)level <= log_level;
}

int
fab_log_level_parse(enum fab_log_level *out, const char *word)
{
	for (int i = 0; i < FAB_LOG_COUNT; i++) {
		if (strcmp(word, level_names[i]) == 0) {
			*out = (enum fab_log_level)i;
			return FAB_OK;
		}
	}
	return FAB_EINVAL;
}

/* One write(2) per line, so that lines of several processes in one file do not mix. */
void
fab_log(enum fab_log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	uint64_t now = fab_wall_us();
	time_t sec = (time_t)(now / 1000000);
	struct tm tm;
	va_list ap;
	size_t len;
	int n;

	if (!fab_log_enabled(level))
		return;
	gmtime_r(&sec, &tm);
	len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	len += (size_t)snprintf(line + len, sizeof(line) - len,
	    ".%06uZ %s %s: ", (unsigned)(now % 1000000), level_names[level], log_name);
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n < sizeof(line) - len - 1 ? (size_t)n : sizeof(line) - len - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to complain */
}
