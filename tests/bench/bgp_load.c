/*
 * Load for a route server: its peers in one process, some of which announce routes, while all wait
 * for what the others announced.
 *
 *   bgp_load --remote ADDR --local ADDR --peers K --senders S --routes N [--own-attributes]
 *   bgp_load --remote ADDR --local ADDR --single N
 *   bgp_load --reflect ADDR --peers K
 *
 * --port P is another one than 179. Peer k speaks from the k-th address after --local, with AS
 * 65001 + k; sender s announces N /24s. Each phase ends with a line of JSON, and a line on stdin
 * begins the next, so that whoever started this can read the daemon's CPU in between:
 *
 *   dial_s      from the first OPEN, all at once, until every session is Established
 *   wall_s      from then, when all announce at once, until every peer holds exactly what the
 * others announced load_cpu_s  CPU time of this process for both
 *
 *   kill_s      from the end of the first sender's connection until nobody has its routes any more
 *
 * --single: N routes, one after the other, through an idle daemon: p50_us, p99_us.
 * --reflect: the floor. A route server that copies UPDATEs as they are to everybody else and does
 * nothing more.
 *
 * This is no BGP speaker: it believes what it is told, and dies when that is not what a route
 * server says.
 */
#include "lib/octets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MSG_MAX    4096
#define HEADER     19
#define ATTRS_MAX  64
#define NET_LEN    24
#define BASE       0x14000000u /* 20.0.0.0, the first /24 */
#define ASN        65001u
#define REFLECT_AS 65515u
#define IN_MAX     (1u << 17)
#define TIMEOUT_MS 300000
#define RETRY_NS   20000000L

enum type { OPEN = 1, UPDATE, NOTIFICATION, KEEPALIVE };

struct buffer {
	uint8_t *p;
	size_t len, room;
};

struct peer {
	int fd; /* -1: its connection has ended */
	unsigned k;
	bool established;
	uint8_t in[IN_MAX];
	size_t in_len;
	struct buffer out;
	size_t sent;   /* of out */
	uint8_t *held; /* one bit for each /24 */
	size_t n_held;
};

static struct {
	struct in_addr remote, local, reflect;
	uint16_t port;
	unsigned peers, senders, single;
	size_t routes;
	bool own;
} o = { .port = 179 };

static struct peer *peers;
static int ep;
static double first_open;

__attribute__((format(printf, 1, 2), noreturn)) static void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "bgp_load: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- messages ---- */

static void
put(struct buffer *b, const void *p, size_t n)
{
	if (b->len + n > b->room) {
		b->room = (b->len + n) * 2;
		if ((b->p = realloc(b->p, b->room)) == NULL)
			die("out of memory");
	}
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

static void
put_message(struct buffer *b, enum type type, const uint8_t *body, size_t len)
{
	uint8_t h[HEADER];

	memset(h, 0xff, 16);
	put16(h + 16, (uint16_t)(HEADER + len));
	h[18] = (uint8_t)type;
	put(b, h, sizeof(h));
	put(b, body, len);
}

/* RFC 4271 section 4.2: 4-octet AS numbers and IPv4 unicast, nothing else. */
static void
put_open(struct buffer *b, uint32_t asn, uint32_t id)
{
	uint8_t m[24] = { 4 }, *p;

	p = put16(put16(m + 1, (uint16_t)asn), 180);
	p = put32(p, id);
	*p++ = 14; /* parameters */
	*p++ = 2;  /* capabilities */
	*p++ = 12;
	memcpy(p, (const uint8_t[]){ 1, 4, 0, 1, 0, 1, 65, 4 }, 8);
	put32(p + 8, asn);
	put_message(b, OPEN, m, 24);
}

static void
put_keepalive(struct buffer *b)
{
	put_message(b, KEEPALIVE, NULL, 0);
}

/* ORIGIN, AS_PATH, NEXT_HOP; with a tag a community of its own. */
static size_t
make_attrs(uint8_t *p, const struct peer *from, uint32_t address, const uint32_t *tag)
{
	uint8_t *start = p;

	memcpy(p, (const uint8_t[]){ 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1 }, 9);
	p = put32(p + 9, ASN + from->k);
	memcpy(p, (const uint8_t[]){ 0x40, 3, 4 }, 3);
	p = put32(p + 3, address);
	if (tag != NULL) {
		memcpy(p, (const uint8_t[]){ 0xc0, 8, 4 }, 3);
		p = put32(p + 3, *tag);
	}
	return (size_t)(p - start);
}

/* n /24s from the first on, in one message if they fit. */
static void
put_update(struct peer *peer, uint32_t first, size_t n)
{
	uint32_t address = ntohl(o.local.s_addr) + peer->k, tag = 0x00010000u + first;
	uint8_t m[MSG_MAX] = { 0 };
	size_t len = make_attrs(m + 4, peer, address, o.own ? &tag : NULL);
	uint8_t *p = m + 4 + len;

	put16(m + 2, (uint16_t)len);
	for (size_t i = 0; i < n; i++)
		p = put32(p, (uint32_t)NET_LEN << 24 | ((BASE >> 8) + first + (uint32_t)i));
	put_message(&peer->out, UPDATE, m, (size_t)(p - m));
}

static void
put_routes(struct peer *p)
{
	size_t most = o.own ? 1 : (MSG_MAX - HEADER - 4 - ATTRS_MAX) / 4;

	for (size_t i = 0; i < o.routes; i += most)
		put_update(
		    p, (uint32_t)(p->k * o.routes + i), o.routes - i < most ? o.routes - i : most);
}

/* ---- what a peer holds ---- */

static void
hold(struct peer *p, const uint8_t *net, bool announced)
{
	uint32_t i = (get32(net) & 0xffffff) - (BASE >> 8);
	uint8_t *at, bit = (uint8_t)(1 << i % 8);

	if (i >= o.senders * o.routes)
		die("peer %u is told of a prefix that nobody announced", p->k);
	if (i / o.routes == p->k)
		return; /* FRR tells everybody everything */
	at = &p->held[i / 8];
	if (announced == ((*at & bit) != 0))
		return;
	*at ^= bit;
	p->n_held += announced ? 1 : -1ul;
}

/* Octets of the prefixes from p to end. Shorter ones are the route server's own: of no interest. */
static void
hold_all(struct peer *peer, const uint8_t *p, const uint8_t *end, bool announced)
{
	for (; p < end; p += 1 + (p[0] + 7) / 8) {
		if (p[0] > 32 || end - p < 1 + (p[0] + 7) / 8)
			die("peer %u: malformed prefixes", peer->k);
		if (p[0] == NET_LEN)
			hold(peer, p, announced);
	}
}

static void
take_update(struct peer *peer, const uint8_t *m, size_t len)
{
	size_t withdrawn = len >= 4 ? get16(m) : len, attrs;

	if (withdrawn + 4 > len || (attrs = get16(m + 2 + withdrawn)) + withdrawn + 4 > len)
		die("peer %u: malformed UPDATE", peer->k);
	hold_all(peer, m + 2, m + 2 + withdrawn, false);
	hold_all(peer, m + 4 + withdrawn + attrs, m + len, true);
}

/* ---- sessions ---- */

static void
flush(struct peer *p)
{
	while (p->fd >= 0 && p->sent < p->out.len) {
		ssize_t n = send(p->fd, p->out.p + p->sent, p->out.len - p->sent, MSG_NOSIGNAL);

		if (n < 0) {
			if (errno != EAGAIN)
				die("peer %u: send: %s", p->k, strerror(errno));
			return;
		}
		p->sent += (size_t)n;
	}
	p->out.len = p->sent = 0;
}

static void
end(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
}

static void
take(struct peer *p, enum type type, const uint8_t *body, size_t len)
{
	switch (type) {
	case OPEN:
		if (o.reflect.s_addr != 0)
			put_open(&p->out, REFLECT_AS, ntohl(o.reflect.s_addr));
		put_keepalive(&p->out);
		break;
	case KEEPALIVE:
		p->established = true;
		break;
	case UPDATE:
		if (o.reflect.s_addr == 0) {
			take_update(p, body, len);
			break;
		}
		for (unsigned i = 0; i < o.peers; i++)
			if (&peers[i] != p && peers[i].fd >= 0) {
				put_message(&peers[i].out, UPDATE, body, len);
				flush(&peers[i]);
			}
		break;
	case NOTIFICATION:
		die("peer %u: NOTIFICATION %u/%u", p->k, body[0], body[1]);
	}
	flush(p);
}

static void
take_all(struct peer *p)
{
	size_t at = 0, len;

	while (p->in_len - at >= HEADER && (len = get16(p->in + at + 16)) <= p->in_len - at) {
		if (len < HEADER || len > MSG_MAX)
			die("peer %u: message of %zu octets", p->k, len);
		take(p, p->in[at + 18], p->in + at + HEADER, len - HEADER);
		at += len;
	}
	memmove(p->in, p->in + at, p->in_len - at);
	p->in_len -= at;
}

static void
receive(struct peer *p)
{
	for (;;) {
		ssize_t n = recv(p->fd, p->in + p->in_len, sizeof(p->in) - p->in_len, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			if (o.reflect.s_addr == 0)
				die("peer %u: the connection has ended", p->k);
			end(p);
			return;
		}
		p->in_len += (size_t)n;
		take_all(p);
	}
}

static void
watch(struct peer *p)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p };
	const int on = 1;

	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &e) != 0)
		die("epoll: %s", strerror(errno));
}

/* One turn. */
static void
turn(void)
{
	struct epoll_event e[64];
	int n = epoll_wait(ep, e, 64, TIMEOUT_MS);

	if (n <= 0)
		die("nothing has happened for %d s", TIMEOUT_MS / 1000);
	for (int i = 0; i < n; i++) {
		struct peer *p = e[i].data.ptr;

		if (p->fd >= 0)
			flush(p);
		if (p->fd >= 0 && (e[i].events & EPOLLIN) != 0)
			receive(p);
	}
}

/* The daemon may not listen yet. */
static void
dial(struct peer *p)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(o.port) }, from = to;

	to.sin_addr = o.remote;
	from.sin_port = 0;
	from.sin_addr.s_addr = htonl(ntohl(o.local.s_addr) + p->k);
	for (int left = 500;; left--) {
		const struct timespec pause = { .tv_nsec = RETRY_NS };

		p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(p->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
			die("bind to %s: %s", inet_ntoa(from.sin_addr), strerror(errno));
		if (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			break;
		if (left == 0)
			die("connect to %s: %s", inet_ntoa(to.sin_addr), strerror(errno));
		close(p->fd);
		nanosleep(&pause, NULL);
	}
}

/* ---- phases ---- */

static size_t
others(const struct peer *p, unsigned gone)
{
	size_t n = 0;

	for (unsigned s = gone; s < o.senders; s++)
		n += s != p->k ? o.routes : 0;
	return n;
}

static bool
all_established(void)
{
	for (unsigned i = 0; i < o.peers; i++)
		if (!peers[i].established)
			return false;
	return true;
}

static bool
all_hold(unsigned gone)
{
	for (unsigned i = 0; i < o.peers; i++)
		if (peers[i].fd >= 0 && peers[i].n_held != others(&peers[i], gone))
			return false;
	return true;
}

static void
start(void)
{
	for (unsigned i = 0; i < o.peers; i++)
		dial(&peers[i]);
	first_open = now();
	for (unsigned i = 0; i < o.peers; i++) {
		struct peer *p = &peers[i];

		if (fcntl(p->fd, F_SETFL, O_NONBLOCK) != 0)
			die("fcntl: %s", strerror(errno));
		put_open(&p->out, ASN + p->k, ntohl(o.local.s_addr) + p->k);
		watch(p);
		flush(p);
	}
}

static void
next_phase(void)
{
	char line[16];

	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		exit(0);
}

static void
load(void)
{
	double before;

	start();
	while (!all_established())
		turn();
	before = now();
	for (unsigned i = 0; i < o.senders; i++) {
		put_routes(&peers[i]);
		flush(&peers[i]);
	}
	while (!all_hold(0))
		turn();
	printf("{\"dial_s\": %.6f, \"wall_s\": %.6f, \"load_cpu_s\": %.6f}\n", before - first_open,
	    now() - before, cpu());
	next_phase();
	before = now();
	end(&peers[0]);
	while (!all_hold(1))
		turn();
	printf("{\"kill_s\": %.6f}\n", now() - before);
	next_phase();
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
singles(void)
{
	double *us = calloc(o.single, sizeof(*us));

	if (us == NULL)
		die("out of memory");
	start();
	while (!all_established())
		turn();
	for (unsigned i = 0; i < o.single; i++) {
		double before = now();

		put_update(&peers[0], i, 1);
		flush(&peers[0]);
		while (peers[1].n_held <= i)
			turn();
		us[i] = (now() - before) * 1e6;
	}
	qsort(us, o.single, sizeof(*us), by_value);
	printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", us[o.single / 2], us[o.single * 99 / 100]);
	free(us);
	next_phase();
}

static void
reflect(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(o.port), .sin_addr = o.reflect
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 128) != 0)
		die("listen: %s", strerror(errno));
	for (unsigned i = 0; i < o.peers; i++) {
		if ((peers[i].fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
			die("accept: %s", strerror(errno));
		watch(&peers[i]);
	}
	for (;;)
		turn();
}

/* ---- command line ---- */

static struct in_addr
address(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		die("'%s' is not an IPv4 address", text);
	return a;
}

static void
options(int argc, char **argv)
{
	static const struct option names[] = { { "remote", 1, NULL, 'r' },
		{ "local", 1, NULL, 'l' }, { "reflect", 1, NULL, 'R' }, { "port", 1, NULL, 'p' },
		{ "peers", 1, NULL, 'k' }, { "senders", 1, NULL, 's' }, { "routes", 1, NULL, 'n' },
		{ "single", 1, NULL, '1' }, { "own-attributes", 0, NULL, 'o' }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (c) {
		case 'r':
			o.remote = address(optarg);
			break;
		case 'l':
			o.local = address(optarg);
			break;
		case 'R':
			o.reflect = address(optarg);
			break;
		case 'p':
			o.port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			o.peers = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			o.senders = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			o.routes = strtoul(optarg, NULL, 10);
			break;
		case '1':
			o.single = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			o.own = true;
			break;
		default:
			exit(2);
		}
	if (o.single > 0) {
		o.peers = 2;
		o.senders = 1;
		o.routes = o.single;
	}
	if (optind < argc || o.peers == 0 || o.senders > o.peers ||
	    (o.reflect.s_addr == 0 && o.senders * o.routes == 0))
		die("see the head of bgp_load.c");
}

int
main(int argc, char **argv)
{
	options(argc, argv);
	if ((ep = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    (peers = calloc(o.peers, sizeof(*peers))) == NULL)
		die("out of resources");
	for (unsigned i = 0; i < o.peers; i++) {
		peers[i].k = i;
		peers[i].fd = -1;
		if ((peers[i].held = calloc(o.senders * o.routes / 8 + 1, 1)) == NULL)
			die("out of memory");
	}
	if (o.reflect.s_addr != 0)
		reflect();
	else if (o.single > 0)
		singles();
	else
		load();
	return 0; /* the system takes everything */
}
