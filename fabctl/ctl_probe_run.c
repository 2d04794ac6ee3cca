#include "fabctl/ctl_probe_run.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/userns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC         0x46505242u /* "FPRB" */
#define RCVBUF        (4 << 20)
#define UDP_LINGER_NS UINT64_C(1000000000) /* for stragglers, after the last was sent */
#define TCP_LINGER_NS UINT64_C(5000000000) /* a lost segment comes again, and again */
#define BURST         64 /* packets taken or sent before the other side is looked at */
#define TURN_MS       50

/* What travels. */
struct packet {
	uint32_t magic, run;
	uint64_t number;
	uint8_t fill[48];
};
_Static_assert(sizeof(struct packet) == 64, "no holes");

/* Seen by all three. Each field is written by one. */
struct shared {
	uint32_t run;
	uint16_t port;       /* destination */
	uint32_t dst;        /* fabctl, before go */
	_Atomic size_t sent; /* source */
	_Atomic bool stop;   /* fabctl: enough */
	char src_why[CTL_PROBE_WHY_MAX], dst_why[CTL_PROBE_WHY_MAX];
	struct ctl_probe_record records[];
};

struct ctl_probe {
	struct shared *shared;
	size_t octets;
	struct ctl_probe_conf conf;
	pid_t src, dst;
	int go;   /* written once: the source sends */
	int hold; /* closed: the destination ends */
};

static uint64_t
now(void)
{
	return fab_mono_now().ns;
}

static void
complain(char why[static CTL_PROBE_WHY_MAX], const char *step)
{
	snprintf(why, CTL_PROBE_WHY_MAX, "cannot %s: %s", step, strerror(errno));
}

/* ---- streams: records of one size out of and into a TCP socket ---- */

struct stream {
	uint8_t in[sizeof(struct packet) * BURST], out[sizeof(struct packet) * BURST];
	size_t n_in, n_out;
};

/* False: the connection has ended. */
static bool
stream_read(struct stream *s, int sock)
{
	ssize_t n = recv(sock, s->in + s->n_in, sizeof(s->in) - s->n_in, MSG_DONTWAIT);

	if (n > 0)
		s->n_in += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool
stream_write(struct stream *s, int sock)
{
	ssize_t n = send(sock, s->out, s->n_out, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	s->n_out -= (size_t)n;
	memmove(s->out, s->out + n, s->n_out);
	return true;
}

static bool
stream_take(struct stream *s, struct packet *out)
{
	if (s->n_in < sizeof(*out))
		return false;
	memcpy(out, s->in, sizeof(*out));
	s->n_in -= sizeof(*out);
	memmove(s->in, s->in + sizeof(*out), s->n_in);
	return true;
}

static bool
stream_put(struct stream *s, const struct packet *p)
{
	if (sizeof(s->out) - s->n_out < sizeof(*p))
		return false;
	memcpy(s->out + s->n_out, p, sizeof(*p));
	s->n_out += sizeof(*p);
	return true;
}

/* ---- destination ---- */

struct end {
	struct shared *shared;
	const struct ctl_probe_conf *conf;
	struct stream stream; /* TCP */
};

static void
arrived(struct end *e, const struct packet *p)
{
	struct ctl_probe_record *r;

	if (p->magic != MAGIC || p->run != e->shared->run || p->number >= e->conf->packets)
		return; /* somebody else's */
	r = &e->shared->records[p->number];
	if (r->arrivals++ == 0)
		r->arrived_ns = now();
}

static void
answer_udp(struct end *e, int sock)
{
	struct sockaddr_in from;
	struct packet p;

	for (int i = 0; i < BURST; i++) {
		socklen_t len = sizeof(from);
		ssize_t n =
		    recvfrom(sock, &p, sizeof(p), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0)
			return;
		if ((size_t)n != sizeof(p))
			continue;
		arrived(e, &p);
		sendto(sock, &p, sizeof(p), MSG_DONTWAIT, (const struct sockaddr *)&from, len);
	}
}

/* False: the connection has ended. */
static bool
answer_tcp(struct end *e, int sock)
{
	struct packet p;

	if (!stream_read(&e->stream, sock) || !stream_write(&e->stream, sock))
		return false;
	while (
	    e->stream.n_out + sizeof(p) <= sizeof(e->stream.out) && stream_take(&e->stream, &p)) {
		arrived(e, &p);
		stream_put(&e->stream, &p);
	}
	return stream_write(&e->stream, sock);
}

static int
listener(bool tcp, uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	int size = RCVBUF;

	if (fd < 0)
		return -1;
	if (!tcp)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
	    (tcp && listen(fd, 1) != 0) || getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(at.sin_port);
	return fd;
}

/* Answers until hold closes. */
static void
serve(struct end *e, int sock, int hold)
{
	struct pollfd fds[2] = { { .fd = sock, .events = POLLIN }, { .fd = hold } };
	bool listening = e->conf->tcp;

	for (;;) {
		if (e->stream.n_out > 0)
			fds[0].events = POLLIN | POLLOUT;
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents != 0)
			return;
		if (fds[0].revents == 0)
			continue;
		if (listening) {
			if ((fds[0].fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC)) < 0)
				return;
			listening = false;
		} else if (!e->conf->tcp) {
			answer_udp(e, sock);
		} else if (!answer_tcp(e, fds[0].fd)) {
			fds[0].fd = -1; /* hold is all that is left */
		}
		fds[0].events = POLLIN;
	}
}

/* In the destination's process. */
static void
run_destination(struct end *e, int netns, int ready, int hold)
{
	int sock = -1;

	if (!fab_userns_enter(netns))
		complain(e->shared->dst_why, "enter the destination");
	else if ((sock = listener(e->conf->tcp, &e->shared->port)) < 0)
		complain(e->shared->dst_why, "listen in the destination");
	else if (write(ready, "", 1) == 1)
		serve(e, sock, hold);
}

/* ---- source ---- */

static void
answered(struct end *e, const struct packet *p)
{
	struct ctl_probe_record *r;

	if (p->magic != MAGIC || p->run != e->shared->run || p->number >= e->conf->packets)
		return;
	r = &e->shared->records[p->number];
	if (r->answered_ns == 0)
		r->answered_ns = now();
}

static int
talker(struct end *e)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(e->shared->port),
		.sin_addr.s_addr = htonl(e->shared->dst) };
	int fd = socket(AF_INET, (e->conf->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	int on = 1, size = RCVBUF;
	struct timeval patience = { .tv_sec = TCP_LINGER_NS / 1000000000 };

	if (fd < 0)
		return -1;
	if (!e->conf->tcp) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	} else {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	/* A UDP socket that is not connected is not told of ICMP errors: it goes on. */
	if (e->conf->tcp && connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
send_one(struct end *e, int sock, size_t number)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(e->shared->port),
		.sin_addr.s_addr = htonl(e->shared->dst) };
	struct packet p = { .magic = MAGIC, .run = e->shared->run, .number = number };

	e->shared->records[number].sent_ns = now();
	if (e->conf->tcp)
		stream_put(&e->stream, &p);
	else
		sendto(sock, &p, sizeof(p), MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
	atomic_store(&e->shared->sent, number + 1);
}

/* All that is due. A stream that is full falls behind its schedule; what it cannot take yet is not
 * sent yet. */
static void
send_due(struct end *e, int sock, uint64_t start)
{
	size_t number = atomic_load(&e->shared->sent);

	for (int i = 0; i < BURST && number < e->conf->packets; i++, number++) {
		if (now() < start + number * UINT64_C(1000000000) / e->conf->pps)
			return;
		if (e->stream.n_out + sizeof(struct packet) > sizeof(e->stream.out))
			return;
		send_one(e, sock, number);
	}
}

static bool
take_answers(struct end *e, int sock)
{
	struct packet p;

	if (e->conf->tcp) {
		if (!stream_read(&e->stream, sock) || !stream_write(&e->stream, sock))
			return false;
		while (stream_take(&e->stream, &p))
			answered(e, &p);
		return true;
	}
	for (int i = 0; i < BURST; i++) {
		ssize_t n = recv(sock, &p, sizeof(p), MSG_DONTWAIT);

		if (n == (ssize_t)sizeof(p))
			answered(e, &p);
		else if (n < 0)
			break;
	}
	return true;
}

static bool
all_answered(const struct end *e)
{
	for (size_t i = atomic_load(&e->shared->sent); i-- > 0;) {
		if (e->shared->records[i].answered_ns == 0)
			return false;
	}
	return true;
}

/* Until when to sleep: the next packet's turn, or the end of the linger. */
static void
sleep_until(int sock, bool writing, uint64_t at)
{
	struct pollfd p = { .fd = sock, .events = (short)(writing ? POLLIN | POLLOUT : POLLIN) };
	uint64_t t = now(), ns = at > t ? at - t : 0;
	struct timespec ts;

	if (ns > TURN_MS * UINT64_C(1000000))
		ns = TURN_MS * UINT64_C(1000000);
	ts = (struct timespec){ .tv_nsec = (long)ns };
	ppoll(&p, 1, &ts, NULL);
}

static void
talk(struct end *e, int sock)
{
	const uint64_t linger = e->conf->tcp ? TCP_LINGER_NS : UDP_LINGER_NS, start = now();
	uint64_t done = 0;

	while (take_answers(e, sock)) {
		size_t sent;

		if (atomic_load(&e->shared->stop))
			return;
		send_due(e, sock, start);
		sent = atomic_load(&e->shared->sent);
		if (sent < e->conf->packets) {
			sleep_until(sock, e->stream.n_out > 0,
			    start + sent * UINT64_C(1000000000) / e->conf->pps);
			continue;
		}
		if (done == 0)
			done = now();
		if (now() > done + linger || (e->stream.n_out == 0 && all_answered(e)))
			return;
		sleep_until(sock, e->stream.n_out > 0, done + linger + 1);
	}
}

/* In the source's process. */
static void
run_source(struct end *e, int netns, int go)
{
	char octet;
	int sock;

	if (!fab_userns_enter(netns)) {
		complain(e->shared->src_why, "enter the source");
		return;
	}
	if (read(go, &octet, 1) != 1)
		return; /* it was not to be */
	if ((sock = talker(e)) < 0)
		complain(e->shared->src_why, e->conf->tcp ? "connect" : "make a socket");
	else
		talk(e, sock);
}

/* ---- fabctl's side ---- */

struct pipes {
	int go[2], hold[2], ready[2];
};

static void
close_pipe(int p[static 2])
{
	for (int i = 0; i < 2; i++) {
		if (p[i] >= 0)
			close(p[i]);
		p[i] = -1;
	}
}

static void
drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The child never returns. What it must not hold open is closed first: ends of pipes tell the other
 * side that we are gone. */
static pid_t
fork_end(struct ctl_probe *p, struct pipes *pipes, bool source)
{
	struct end e = { .shared = p->shared, .conf = &p->conf };
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN); /* fabctl hears it and tells */
	if (getppid() != parent)
		_exit(1);
	drop(&pipes->go[1]);
	drop(&pipes->hold[1]);
	drop(&pipes->ready[0]);
	if (source) {
		drop(&pipes->ready[1]);
		run_source(&e, p->conf.src, pipes->go[0]);
	} else {
		run_destination(&e, p->conf.dst, pipes->ready[1], pipes->hold[0]);
	}
	_exit(0);
}

static int
start_ends(struct ctl_probe *p, char why[static CTL_PROBE_WHY_MAX])
{
	struct pipes pipes = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int err = FAB_EIO;
	char octet;

	if (pipe2(pipes.go, O_CLOEXEC) != 0 || pipe2(pipes.hold, O_CLOEXEC) != 0 ||
	    pipe2(pipes.ready, O_CLOEXEC) != 0 || (p->dst = fork_end(p, &pipes, false)) < 0 ||
	    (p->src = fork_end(p, &pipes, true)) < 0) {
		complain(why, "start the two ends");
		goto done;
	}
	drop(&pipes.ready[1]);
	if (read(pipes.ready[0], &octet, 1) == 1)
		err = FAB_OK;
	else
		memcpy(why, p->shared->dst_why, CTL_PROBE_WHY_MAX);
	p->go = pipes.go[1];
	p->hold = pipes.hold[1];
	pipes.go[1] = pipes.hold[1] = -1;
done:
	close_pipe(pipes.go);
	close_pipe(pipes.hold);
	close_pipe(pipes.ready);
	return err;
}

int
ctl_probe_start(
    struct ctl_probe **out, const struct ctl_probe_conf *conf, char why[static CTL_PROBE_WHY_MAX])
{
	struct ctl_probe *p = calloc(1, sizeof(*p));
	int err;

	FAB_ASSERT(p != NULL);
	*p = (struct ctl_probe){ .conf = *conf, .src = -1, .dst = -1, .go = -1, .hold = -1 };
	p->octets = sizeof(struct shared) + conf->packets * sizeof(struct ctl_probe_record);
	p->shared =
	    mmap(NULL, p->octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->shared == MAP_FAILED) {
		p->shared = NULL;
		complain(why, "get memory");
		err = FAB_ENOMEM;
	} else {
		p->shared->run = (uint32_t)now() ^ (uint32_t)getpid() << 16;
		err = start_ends(p, why);
	}
	if (err == FAB_OK)
		*out = p;
	else
		ctl_probe_free(p);
	return err;
}

void
ctl_probe_go(struct ctl_probe *p, uint32_t dst)
{
	p->shared->dst = dst;
	while (write(p->go, "", 1) < 0 && errno == EINTR)
		continue;
}

static void
reap(pid_t *pid)
{
	while (*pid > 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	*pid = -1;
}

int
ctl_probe_end(struct ctl_probe *p, const volatile sig_atomic_t *stop,
    const struct ctl_probe_record **records, size_t *n, char why[static CTL_PROBE_WHY_MAX])
{
	pid_t done;

	while ((done = waitpid(p->src, NULL, WNOHANG)) == 0) {
		poll(NULL, 0, TURN_MS);
		if (*stop)
			atomic_store(&p->shared->stop, true);
	}
	if (done == p->src)
		p->src = -1;
	drop(&p->hold);
	reap(&p->dst);
	*n = atomic_load(&p->shared->sent);
	*records = p->shared->records;
	if (*n > 0 || p->shared->src_why[0] == '\0')
		return FAB_OK;
	memcpy(why, p->shared->src_why, CTL_PROBE_WHY_MAX);
	return FAB_EIO;
}

void
ctl_probe_free(struct ctl_probe *p)
{
	if (p == NULL)
		return;
	drop(&p->go);
	drop(&p->hold);
	if (p->src > 0)
		kill(p->src, SIGKILL);
	if (p->dst > 0)
		kill(p->dst, SIGKILL);
	reap(&p->src);
	reap(&p->dst);
	if (p->shared != NULL)
		munmap(p->shared, p->octets);
	free(p);
}
