/*
 * Where connections come from: listeners and diallers over NNG's streams, and their TLS
 * configuration. As in conn.c, completions on NNG's threads only post to the loop.
 */
#include "lib/conn.h"

#include "lib/conn_impl.h"
#include "lib/err.h"

#include <arpa/inet.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_FILE_MAX    (1u << 20)
#define ACCEPT_RETRY_MS 100 /* out of descriptors or memory: try again */

struct fab_conn_listener {
	struct fab_loop *loop;
	nng_stream_listener *nng;
	nng_aio *aio;
	struct fab_post post;
	struct fab_timer *retry;
	fab_conn_accept_fn *fn;
	void *ctx;
	bool accepting; /* aio is in use, or its result was not taken yet */
	bool in_cb;
	bool freed;
};

struct fab_dial {
	struct fab_loop *loop;
	nng_stream_dialer *nng;
	nng_aio *aio;
	struct fab_post post;
	fab_conn_dial_fn *done;
	void *ctx;
	bool dialling; /* as accepting above */
	bool in_cb;
	bool freed;
};

/* ---- URLs ---- */

static bool
host_is_address(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

static bool
host_is_loopback(const char *host)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0;
}

bool
fab_conn_url_is_local(const char *url)
{
	nng_url *u;
	bool local;

	if (strncmp(url, "ipc://", 6) == 0)
		return true;
	if (nng_url_parse(&u, url) != 0)
		return false;
	local = host_is_loopback(u->u_hostname);
	nng_url_free(u);
	return local;
}

static bool
url_is_tls(const char *url)
{
	return strncmp(url, "tls+tcp://", 10) == 0;
}

/* NNG knows more kinds of URL than this tree wants. */
static int
url_check(const char *url, const struct fab_tls *tls)
{
	if (url_is_tls(url))
		return tls != NULL ? FAB_OK : FAB_EINVAL;
	if (strncmp(url, "ipc://", 6) == 0)
		return url[6] != '\0' ? FAB_OK : FAB_EINVAL;
	return strncmp(url, "tcp://", 6) == 0 ? FAB_OK : FAB_EINVAL;
}

int
fab_conn_url_check(const char *url, const struct fab_tls *tls, bool insecure)
{
	static const struct fab_tls any;
	nng_url *u;

	if (url_check(url, &any) != FAB_OK || nng_url_parse(&u, url) != 0)
		return FAB_EINVAL;
	nng_url_free(u);
	if (url_is_tls(url))
		return tls != NULL && tls->cert != NULL && tls->key != NULL && tls->ca != NULL
			   ? FAB_OK
			   : FAB_ENOENT;
	return insecure || fab_conn_url_is_local(url) ? FAB_OK : FAB_EPERM;
}

/* ---- TLS ---- */

static int
pem_read(char **out, const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	int err = FAB_EINVAL;
	size_t n;

	if (f == NULL)
		return FAB_EINVAL;
	if ((text = malloc(PEM_FILE_MAX)) == NULL) {
		err = FAB_ENOMEM;
		goto done;
	}
	n = fread(text, 1, PEM_FILE_MAX - 1, f);
	if (n == 0 || !feof(f))
		goto done;
	text[n] = '\0';
	*out = text;
	text = NULL;
	err = FAB_OK;
done:
	free(text);
	fclose(f);
	return err;
}

static int
tls_own_cert(nng_tls_config *config, const struct fab_tls *tls)
{
	char *cert = NULL, *key = NULL;
	int err;

	err = pem_read(&cert, tls->cert);
	if (err == FAB_OK)
		err = pem_read(&key, tls->key);
	if (err == FAB_OK && nng_tls_config_own_cert(config, cert, key, NULL) != 0)
		err = FAB_EINVAL;
	if (key != NULL)
		explicit_bzero(key, strlen(key));
	free(key);
	free(cert);
	return err;
}

static int
tls_ca(nng_tls_config *config, const struct fab_tls *tls)
{
	char *ca;
	int err = pem_read(&ca, tls->ca);

	if (err != FAB_OK)
		return err;
	if (nng_tls_config_ca_chain(config, ca, NULL) != 0)
		err = FAB_EINVAL;
	free(ca);
	return err;
}

/* host: the name to find in the server's certificate; NULL for servers. */
static int
tls_config(nng_tls_config **out, const struct fab_tls *tls, const char *host)
{
	nng_tls_config *config;
	int err = FAB_OK;

	if ((tls->cert == NULL) != (tls->key == NULL) || (host == NULL && tls->cert == NULL))
		return FAB_EINVAL;
	if (nng_tls_config_alloc(
		&config, host != NULL ? NNG_TLS_MODE_CLIENT : NNG_TLS_MODE_SERVER) != 0)
		return FAB_ENOMEM;
	if (tls->cert != NULL)
		err = tls_own_cert(config, tls);
	if (err == FAB_OK && tls->ca != NULL)
		err = tls_ca(config, tls);
	/* mbedTLS cannot match a certificate against an address. */
	if (err == FAB_OK && host != NULL && !host_is_address(host) &&
	    nng_tls_config_server_name(config, host) != 0)
		err = FAB_ENOMEM;
	if (err == FAB_OK &&
	    nng_tls_config_auth_mode(
		config, tls->ca != NULL ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_NONE) != 0)
		err = FAB_EINVAL;
	if (err == FAB_OK)
		*out = config;
	else
		nng_tls_config_free(config);
	return err;
}

/* ---- listener ---- */

static void
listener_destroy(struct fab_conn_listener *l)
{
	if (l->nng != NULL)
		nng_stream_listener_close(l->nng);
	if (l->aio != NULL)
		nng_aio_stop(l->aio);
	fab_loop_post_cancel(l->loop, &l->post);
	if (l->accepting && nng_aio_result(l->aio) == 0)
		nng_stream_free(nng_aio_get_output(l->aio, 0));
	nng_aio_free(l->aio);
	nng_stream_listener_free(l->nng);
	fab_timer_free(l->retry);
	free(l);
}

static void
on_accept_aio(void *arg)
{
	struct fab_conn_listener *l = arg;

	fab_loop_post(l->loop, &l->post);
}

static void
accept_start(void *arg)
{
	struct fab_conn_listener *l = arg;

	l->accepting = true;
	nng_stream_listener_accept(l->nng, l->aio);
}

static void
accept_done(void *arg)
{
	struct fab_conn_listener *l = arg;
	int rv = nng_aio_result(l->aio);
	struct fab_conn *c;

	l->accepting = false;
	if (rv == NNG_ECLOSED)
		return;
	if (rv != 0) {
		fab_timer_set_ms(l->retry, ACCEPT_RETRY_MS);
		return;
	}
	c = fab_conn_new(l->loop, nng_aio_get_output(l->aio, 0));
	if (c != NULL) {
		l->in_cb = true;
		l->fn(l->ctx, c);
		l->in_cb = false;
	}
	if (l->freed)
		listener_destroy(l);
	else
		accept_start(l);
}

/* NNG replaces the socket of a dead listener, after asking whether it answers. But it would as well
 * remove a file that never was a socket. */
static int
ipc_path_check(const char *url)
{
	struct stat st;

	if (strncmp(url, "ipc://", 6) != 0 || lstat(url + 6, &st) != 0)
		return FAB_OK;
	return S_ISSOCK(st.st_mode) ? FAB_OK : FAB_EEXIST;
}

static int
listener_open(struct fab_conn_listener *l, const char *url, const struct fab_tls *tls)
{
	nng_tls_config *config = NULL;
	int err, rv;

	err = url_check(url, tls);
	if (err == FAB_OK)
		err = ipc_path_check(url);
	if (err == FAB_OK && url_is_tls(url))
		err = tls_config(&config, tls, NULL);
	if (err != FAB_OK)
		return err;
	if ((rv = nng_stream_listener_alloc(&l->nng, url)) != 0)
		goto done;
	if (config != NULL &&
	    (rv = nng_stream_listener_set_ptr(l->nng, NNG_OPT_TLS_CONFIG, config)) != 0)
		goto done;
	/* Not an option of ipc listeners, and on by default. */
	(void)nng_stream_listener_set_bool(l->nng, NNG_OPT_TCP_NODELAY, true);
	rv = nng_stream_listener_listen(l->nng);
done:
	if (config != NULL)
		nng_tls_config_free(config);
	return fab_err_from_nng(rv);
}

int
fab_conn_listen(struct fab_conn_listener **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_conn_accept_fn *fn, void *ctx)
{
	struct fab_conn_listener *l = calloc(1, sizeof(*l));
	int err;

	if (l == NULL)
		return FAB_ENOMEM;
	l->loop = loop;
	l->fn = fn;
	l->ctx = ctx;
	l->post = (struct fab_post){ .fn = accept_done, .arg = l };
	err = fab_timer_new(&l->retry, loop, accept_start, l);
	if (err == FAB_OK && nng_aio_alloc(&l->aio, on_accept_aio, l) != 0)
		err = FAB_ENOMEM;
	if (err == FAB_OK)
		err = listener_open(l, url, tls);
	if (err != FAB_OK) {
		listener_destroy(l);
		return err;
	}
	nng_aio_set_timeout(l->aio, NNG_DURATION_INFINITE);
	accept_start(l);
	*out = l;
	return FAB_OK;
}

uint16_t
fab_conn_listener_port(const struct fab_conn_listener *l)
{
	int port;

	if (nng_stream_listener_get_int(l->nng, NNG_OPT_TCP_BOUND_PORT, &port) != 0)
		return 0;
	return (uint16_t)port;
}

void
fab_conn_listener_free(struct fab_conn_listener *l)
{
	if (l == NULL)
		return;
	l->freed = true;
	if (!l->in_cb)
		listener_destroy(l);
}

/* ---- dial ---- */

static void
dial_destroy(struct fab_dial *d)
{
	if (d->nng != NULL)
		nng_stream_dialer_close(d->nng);
	if (d->aio != NULL)
		nng_aio_stop(d->aio);
	fab_loop_post_cancel(d->loop, &d->post);
	if (d->dialling && nng_aio_result(d->aio) == 0)
		nng_stream_free(nng_aio_get_output(d->aio, 0));
	nng_aio_free(d->aio);
	nng_stream_dialer_free(d->nng);
	free(d);
}

static void
on_dial_aio(void *arg)
{
	struct fab_dial *d = arg;

	fab_loop_post(d->loop, &d->post);
}

static void
dial_done(void *arg)
{
	struct fab_dial *d = arg;
	int err = fab_err_from_nng(nng_aio_result(d->aio));
	struct fab_conn *c = NULL;

	d->dialling = false;
	if (err == FAB_OK) {
		c = fab_conn_new(d->loop, nng_aio_get_output(d->aio, 0));
		err = c != NULL ? FAB_OK : FAB_ENOMEM;
	}
	d->in_cb = true;
	d->done(d->ctx, c, err);
	d->in_cb = false;
	if (d->freed)
		dial_destroy(d);
}

static int
dial_tls(struct fab_dial *d, const char *url, const struct fab_tls *tls)
{
	nng_tls_config *config;
	nng_url *u;
	int err, rv;

	if ((rv = nng_url_parse(&u, url)) != 0)
		return fab_err_from_nng(rv);
	err = tls_config(&config, tls, u->u_hostname);
	nng_url_free(u);
	if (err != FAB_OK)
		return err;
	rv = nng_stream_dialer_set_ptr(d->nng, NNG_OPT_TLS_CONFIG, config);
	nng_tls_config_free(config);
	return fab_err_from_nng(rv);
}

static int
dial_open(struct fab_dial *d, const char *url, const struct fab_tls *tls)
{
	int err = url_check(url, tls);

	if (err == FAB_OK)
		err = fab_err_from_nng(nng_stream_dialer_alloc(&d->nng, url));
	if (err == FAB_OK && url_is_tls(url))
		err = dial_tls(d, url, tls);
	if (err != FAB_OK)
		return err;
	/* Not an option of ipc diallers, and on by default. */
	(void)nng_stream_dialer_set_bool(d->nng, NNG_OPT_TCP_NODELAY, true);
	nng_aio_set_timeout(d->aio, FAB_CONN_DIAL_TIMEOUT_MS);
	return FAB_OK;
}

int
fab_conn_dial(struct fab_dial **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_conn_dial_fn *done, void *ctx)
{
	struct fab_dial *d = calloc(1, sizeof(*d));
	int err;

	if (d == NULL)
		return FAB_ENOMEM;
	d->loop = loop;
	d->done = done;
	d->ctx = ctx;
	d->post = (struct fab_post){ .fn = dial_done, .arg = d };
	err = nng_aio_alloc(&d->aio, on_dial_aio, d) == 0 ? FAB_OK : FAB_ENOMEM;
	if (err == FAB_OK)
		err = dial_open(d, url, tls);
	if (err != FAB_OK) {
		dial_destroy(d);
		return err;
	}
	d->dialling = true;
	nng_stream_dialer_dial(d->nng, d->aio);
	*out = d;
	return FAB_OK;
}

void
fab_dial_free(struct fab_dial *d)
{
	if (d == NULL)
		return;
	d->freed = true;
	if (!d->in_cb)
		dial_destroy(d);
}
