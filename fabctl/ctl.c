#include "fabctl/ctl.h"

#include "fabctl/ctl_run.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- words ---- */

static void
one_line(char *text)
{
	for (char *p = text; *p != '\0'; p++) {
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	}
}

int
ctl_fail(enum ctl_exit status, const char *code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	one_line(text);
	ctl_progress(NULL);
	fprintf(stderr, "fabctl: %s: %s\n", code, text);
	return (int)status;
}

/* fabricd puts Azure's error code first: "VnetAddressSpacesOverlap: ...". Its length, or 0. */
static size_t
code_length(const char *message)
{
	size_t n = 0;

	while (isalnum((unsigned char)message[n]))
		n++;
	return n > 0 && n < 64 && isupper((unsigned char)message[0]) && message[n] == ':' ? n : 0;
}

int
ctl_fail_rpc(enum fab_rpc_status status, const char *why)
{
	size_t n = code_length(why);
	enum ctl_exit code;
	char word[64];

	switch (status) {
	case FAB_RPC_UNAVAILABLE:
	case FAB_RPC_UNAUTHENTICATED:
		code = CTL_UNREACHABLE;
		break;
	case FAB_RPC_INVALID_ARGUMENT:
	case FAB_RPC_NOT_FOUND:
	case FAB_RPC_ALREADY_EXISTS:
	case FAB_RPC_FAILED_PRECONDITION:
	case FAB_RPC_OUT_OF_RANGE:
	case FAB_RPC_PERMISSION_DENIED:
	case FAB_RPC_RESOURCE_EXHAUSTED:
		code = CTL_REFUSED;
		break;
	default:
		code = CTL_NO;
		break;
	}
	if (status == FAB_RPC_DEADLINE_EXCEEDED && why[0] == '\0')
		why = "no answer in time; is fabricd paused?";
	snprintf(word, sizeof(word), "%.*s", (int)n, why);
	return ctl_fail(code, n > 0 ? word : fab_rpc_status_name(status), "%s",
	    n > 0 ? why + n + 1 + strspn(why + n + 1, " ") : why);
}

void
ctl_progress(const char *fmt, ...)
{
	static bool shown;
	va_list ap;

	if (!isatty(STDERR_FILENO) || (fmt == NULL && !shown))
		return;
	fputs("\r\033[K", stderr);
	if ((shown = fmt != NULL)) {
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
	}
	fflush(stderr);
}

int
ctl_answer(const struct ctl *c, json_t *value, const struct ctl_view *view)
{
	int err;

	FAB_ASSERT(value != NULL);
	ctl_progress(NULL);
	err = ctl_print(stdout, c->format, value, view);
	json_decref(value);
	return err == FAB_OK
		   ? CTL_OK
		   : ctl_fail(CTL_NO, "WRITE", "cannot write the answer: %s", strerror(errno));
}

int
ctl_read_file(char **out, size_t *len, const char *path, size_t max)
{
	FILE *fp = fopen(path, "re");
	char *text = NULL;
	struct stat st;
	size_t n = 0;
	int status;

	if (fp == NULL)
		return ctl_fail(CTL_USAGE, "FILE", "cannot read %s: %s", path, strerror(errno));
	if (fstat(fileno(fp), &st) != 0 || S_ISDIR(st.st_mode)) {
		status = ctl_fail(CTL_USAGE, "FILE", "cannot read %s: it is a directory", path);
	} else if ((text = malloc(max + 1)) == NULL) {
		status = ctl_fail(CTL_NO, "MEMORY", "out of memory");
	} else if ((n = fread(text, 1, max + 1, fp)) > max) {
		status = ctl_fail(CTL_REFUSED, "TooLarge",
		    "%s is larger than %zu MiB; a topology file is not", path, max >> 20);
	} else if (ferror(fp)) {
		status = ctl_fail(CTL_USAGE, "FILE", "cannot read %s: %s", path, strerror(errno));
	} else {
		status = CTL_OK;
	}
	fclose(fp);
	if (status != CTL_OK) {
		free(text);
		return status;
	}
	text[n] = '\0';
	*out = text;
	*len = n;
	return CTL_OK;
}

/* ---- which fabric ---- */

static int
absolute(char buf[static PATH_MAX], const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/')
		return ctl_path(buf, "%s", path);
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return fab_err_from_errno(errno);
	return ctl_path(buf, "%s/%s", cwd, path);
}

/* --url; else --run-dir; else FAB_URL; else the last one started here. */
static int
find_fabric(struct ctl *c, const struct ctl_args *args)
{
	const char *url = args->opt[CTL_OPT_URL], *dir = args->opt[CTL_OPT_RUN_DIR];
	int err = FAB_OK;

	if (url == NULL && dir == NULL && (url = getenv("FAB_URL")) != NULL && url[0] == '\0')
		url = NULL;
	c->run_dir_given = url != NULL || dir != NULL;
	if (dir != NULL)
		err = absolute(c->run_dir, dir);
	else if (url != NULL && ctl_run_of_url(c->run_dir, url) != FAB_OK)
		c->run_dir[0] = '\0'; /* not a local one */
	else if (url == NULL && ctl_run_current(c->run_dir) != FAB_OK)
		c->run_dir[0] = '\0';
	if (err != FAB_OK)
		return err;
	if (url != NULL)
		return ctl_path(c->url, "%s", url);
	return c->run_dir[0] != '\0' ? ctl_run_url(c->url, c->run_dir) : FAB_OK;
}

int
ctl_init(struct ctl *c, const struct ctl_args *args)
{
	const char *format = args->opt[CTL_OPT_OUTPUT];

	*c = (struct ctl){ .format = CTL_TABLE };
	if (format != NULL && ctl_format_parse(&c->format, format) != FAB_OK)
		return ctl_fail(
		    CTL_USAGE, "USAGE", "unknown format '%s'; table, json or yaml", format);
	if (find_fabric(c, args) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE", "the run directory's path is too long");
	return CTL_OK;
}

void
ctl_fini(struct ctl *c)
{
	fab_rpc_client_free(c->client);
	if (c->loop != NULL)
		fab_loop_free(c->loop);
}

/* ---- asking ---- */

/* Certificates for tls+tcp:// come from the environment. */
static const struct fab_tls *
tls_of_environment(struct fab_tls *tls)
{
	*tls = (struct fab_tls){
		.cert = getenv("FAB_TLS_CERT"),
		.key = getenv("FAB_TLS_KEY"),
		.ca = getenv("FAB_TLS_CA"),
	};
	return tls->ca != NULL ? tls : NULL;
}

int
ctl_connect_later(struct ctl *c)
{
	struct fab_tls tls;
	int err;

	if (c->client != NULL)
		return CTL_OK;
	if (c->loop == NULL && fab_loop_new(&c->loop) != FAB_OK)
		return ctl_fail(CTL_NO, "MEMORY", "cannot make an event loop");
	err = fab_rpc_client_new(&c->client, c->loop, c->url, tls_of_environment(&tls), NULL, NULL);
	if (err != FAB_OK)
		return ctl_fail(err == FAB_EINVAL ? CTL_USAGE : CTL_UNREACHABLE, "URL",
		    "cannot connect to %s: %s", c->url, fab_strerror(err));
	return CTL_OK;
}

bool
ctl_fabricd_runs(const struct ctl *c)
{
	struct ctl_state s;
	bool lives;

	if (c->run_dir[0] == '\0' || ctl_state_load(&s, c->run_dir, CTL_FABRICD) != FAB_OK)
		return false;
	lives = ctl_proc_state(s.proc) == CTL_PROC_RUNNING;
	ctl_state_fini(&s);
	return lives;
}

int
ctl_connect(struct ctl *c)
{
	if (c->url[0] == '\0')
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC",
		    "no fabric runs here; start one with 'fabctl up FILE' or name it with --url");
	if (strncmp(c->url, "ipc://", 6) == 0 && access(c->url + 6, F_OK) != 0 &&
	    !ctl_fabricd_runs(c)) /* it may have been started a moment ago */
		return ctl_fail(CTL_UNREACHABLE, "UNAVAILABLE",
		    "nobody listens on %s; start a fabric with 'fabctl up FILE'", c->url);
	return ctl_connect_later(c);
}

enum fab_rpc_status
ctl_ask(struct ctl *c, const ProtobufCServiceDescriptor *service, const char *method,
    const ProtobufCMessage *req, uint32_t timeout_ms, uint32_t wait_ms, ProtobufCMessage **reply,
    char why[static 256])
{
	why[0] = '\0';
	return fab_rpc_call_sync(
	    c->loop, c->client, service, method, req, timeout_ms, wait_ms, reply, why);
}

int
ctl_call(struct ctl *c, const char *method, const ProtobufCMessage *req, ProtobufCMessage **reply)
{
	enum fab_rpc_status status;
	char why[256];
	int err;

	if ((err = ctl_connect(c)) != CTL_OK)
		return err;
	status = ctl_ask(
	    c, &fab__v1__fabric__descriptor, method, req, CTL_CALL_MS, CTL_CONNECT_MS, reply, why);
	if (status == FAB_RPC_UNAVAILABLE && why[0] == '\0')
		snprintf(why, sizeof(why), "nobody answers on %.200s", c->url);
	return status == FAB_RPC_OK ? CTL_OK : ctl_fail_rpc(status, why);
}

void
ctl_reply_free(ProtobufCMessage *reply)
{
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
}
