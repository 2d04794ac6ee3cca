/*
 * URL templates (see fc_url.h).
 */
#include "fabricd/fc_url.h"

#include "lib/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
known_scheme(const char *url)
{
	static const char *const schemes[] = { "ipc://", "tcp://", "tls+tcp://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

int
fc_url_check(const char *text)
{
	const char *at = strchr(text, '%');

	if (!known_scheme(text) || at == NULL || at[1] != 's' || strchr(at + 1, '%') != NULL)
		return FAB_EINVAL;
	return FAB_OK;
}

int
fc_url_format(char buf[static FC_URL_MAX], const char *text, const char *name)
{
	const char *at = strstr(text, "%s");
	int n;

	if (at == NULL)
		return FAB_EINVAL;
	n = snprintf(buf, FC_URL_MAX, "%.*s%s%s", (int)(at - text), text, name, at + 2);
	return n < FC_URL_MAX ? FAB_OK : FAB_ETOOBIG;
}

int
fc_url_run_dir(char *buf, size_t size, const char *listen_url)
{
	const char *path = listen_url + strlen("ipc://"), *slash;

	if (strncmp(listen_url, "ipc://", strlen("ipc://")) != 0 || *path == '\0')
		return FAB_EINVAL;
	slash = strrchr(path, '/');
	if (slash == NULL)
		snprintf(buf, size, ".");
	else if (slash == path)
		snprintf(buf, size, "/");
	else if ((size_t)snprintf(buf, size, "%.*s", (int)(slash - path), path) >= size)
		return FAB_ETOOBIG;
	return FAB_OK;
}
