#include "vswitchd/vs_probe.h"

#include "lib/ipnet.h"

#include <stdio.h>
#include <string.h>

/* ---- what we say ---- */

static void
say(struct vs_probe *p, unsigned flags, const char *data, uint32_t seq)
{
	const struct vs_segment s = { .src = IPADDR_PLATFORM,
		.dst = p->conf.ip,
		.sport = p->sport,
		.dport = p->conf.port,
		.seq = seq,
		.ack = (flags & VS_TCP_ACK) != 0 ? p->heard : 0,
		.flags = flags,
		.data = (const uint8_t *)data,
		.len = data != NULL ? strlen(data) : 0 };

	p->send(p->ctx, &s);
}

static void
request(const struct vs_probe *p, char out[static VS_SEGMENT_DATA_MAX])
{
	char host[IPADDR_STRLEN];

	snprintf(out, VS_SEGMENT_DATA_MAX,
	    "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: Load Balancer Agent\r\n"
	    "Connection: close\r\n\r\n",
	    p->conf.path[0] != '\0' ? p->conf.path : "/", ipaddr_format(host, p->conf.ip),
	    p->conf.port);
}

/* ---- the course of it ---- */

static void
finish(struct vs_probe *p, enum vs_probe_result result, const char *why)
{
	p->result = result;
	snprintf(p->why, sizeof(p->why), "%s", why);
}

/* Nobody listens any more, at either end. */
static void
reset(struct vs_probe *p)
{
	if (p->state == VS_PROBE_ASKED || p->state == VS_PROBE_CLOSING)
		say(p, VS_TCP_RST | VS_TCP_ACK, NULL, p->next);
	p->state = VS_PROBE_IDLE;
}

static void
close_politely(struct vs_probe *p)
{
	say(p, VS_TCP_FIN | VS_TCP_ACK, NULL, p->next++);
	p->state = VS_PROBE_CLOSING;
}

void
vs_probe_start(struct vs_probe *p, const struct vs_probe_conf *conf, uint16_t sport, uint32_t seq)
{
	reset(p);
	p->conf = *conf;
	p->state = VS_PROBE_SYN_SENT;
	p->sport = sport;
	p->next = seq + 1;
	p->heard = 0;
	p->n_status = 0;
	p->status[0] = '\0';
	finish(p, VS_PROBE_PENDING, "");
	say(p, VS_TCP_SYN, NULL, seq);
}

static void
connected(struct vs_probe *p, const struct vs_segment *s)
{
	char text[VS_SEGMENT_DATA_MAX];

	p->heard = s->seq + 1;
	if (!p->conf.http) {
		finish(p, VS_PROBE_OK, "");
		close_politely(p);
		return;
	}
	request(p, text);
	say(p, VS_TCP_ACK | VS_TCP_PSH, text, p->next);
	p->next += (uint32_t)strlen(text);
	p->state = VS_PROBE_ASKED;
}

static void
was_reset(struct vs_probe *p)
{
	if (p->result == VS_PROBE_PENDING && p->state == VS_PROBE_SYN_SENT)
		finish(p, VS_PROBE_SHUT, "connection refused");
	else if (p->result == VS_PROBE_PENDING)
		finish(p, VS_PROBE_SHUT, "connection reset");
	p->state = VS_PROBE_IDLE;
}

/* "HTTP/1.1 200" */
static void
judge(struct vs_probe *p)
{
	const char *code = p->status + 9;
	char why[VS_PROBE_WHY_MAX];

	if (strncmp(p->status, "HTTP/1.", 7) != 0 || p->status[8] != ' ') {
		finish(p, VS_PROBE_SHUT, "the answer is not HTTP");
		return;
	}
	snprintf(why, sizeof(why), "HTTP status %s", code);
	if (strcmp(code, "200") == 0)
		finish(p, VS_PROBE_OK, "");
	else
		finish(p, VS_PROBE_SHUT, why);
}

static void
take_data(struct vs_probe *p, const struct vs_segment *s)
{
	for (size_t i = 0; i < s->len && p->n_status < VS_PROBE_STATUS; i++) {
		/* It ends up in logs. */
		p->status[p->n_status++] =
		    s->data[i] >= ' ' && s->data[i] <= '~' ? (char)s->data[i] : '?';
		p->status[p->n_status] = '\0';
	}
	p->heard += (uint32_t)s->size;
	if (p->result == VS_PROBE_PENDING && p->n_status == VS_PROBE_STATUS)
		judge(p);
}

/* What follows in the stream of a connection that stands; anything else will come again. */
static void
take(struct vs_probe *p, const struct vs_segment *s)
{
	bool fin = (s->flags & VS_TCP_FIN) != 0;

	if (s->size == 0 && !fin)
		return;
	if (s->seq != p->heard) {
		say(p, VS_TCP_ACK, NULL, p->next);
		return;
	}
	take_data(p, s);
	p->heard += fin;
	if (fin && p->result == VS_PROBE_PENDING)
		finish(p, VS_PROBE_SHUT, "it closed the connection without an answer");
	if (p->state == VS_PROBE_ASKED && p->result != VS_PROBE_PENDING)
		close_politely(p);
	else
		say(p, VS_TCP_ACK, NULL, p->next);
	if (fin)
		p->state = VS_PROBE_IDLE;
}

/* RFC 9293 3.10.7.3. What remembers an earlier probe from this port is told to forget it; then it
 * takes the SYN that we say again. */
static void
input_unconnected(struct vs_probe *p, const struct vs_segment *s)
{
	if ((s->flags & VS_TCP_ACK) == 0)
		return;
	if ((s->flags & VS_TCP_RST) != 0) {
		if (s->ack == p->next)
			was_reset(p);
	} else if (s->ack != p->next) {
		say(p, VS_TCP_RST, NULL, s->ack);
	} else if ((s->flags & VS_TCP_SYN) != 0) {
		connected(p, s);
	}
}

void
vs_probe_input(struct vs_probe *p, const struct vs_segment *s)
{
	bool syn_ack = (s->flags & (VS_TCP_SYN | VS_TCP_ACK)) == (VS_TCP_SYN | VS_TCP_ACK);

	if (p->state == VS_PROBE_IDLE || s->src != p->conf.ip || s->sport != p->conf.port ||
	    s->dport != p->sport)
		return;
	if (p->state == VS_PROBE_SYN_SENT) {
		input_unconnected(p, s);
	} else if ((s->flags & VS_TCP_RST) != 0) {
		if (s->seq == p->heard)
			was_reset(p);
	} else if (syn_ack) {
		say(p, VS_TCP_ACK, NULL, p->next); /* ours was lost */
	} else {
		take(p, s);
	}
}

void
vs_probe_again(struct vs_probe *p)
{
	char text[VS_SEGMENT_DATA_MAX];

	switch (p->state) {
	case VS_PROBE_SYN_SENT:
		say(p, VS_TCP_SYN, NULL, p->next - 1);
		break;
	case VS_PROBE_ASKED:
		request(p, text);
		say(p, VS_TCP_ACK | VS_TCP_PSH, text, p->next - (uint32_t)strlen(text));
		break;
	case VS_PROBE_CLOSING:
		say(p, VS_TCP_FIN | VS_TCP_ACK, NULL, p->next - 1);
		break;
	default:
		break;
	}
}

void
vs_probe_expire(struct vs_probe *p, const char *why)
{
	if (p->state != VS_PROBE_IDLE && p->result == VS_PROBE_PENDING)
		finish(p, VS_PROBE_FAILED, why);
	reset(p);
}

/* ---- what many of them say ---- */

bool
vs_health_note(struct vs_health *h, bool fine, unsigned threshold, bool at_once)
{
	enum vs_health_state now = fine ? VS_HEALTH_UP : VS_HEALTH_DOWN;

	h->run = h->run > 0 && h->last == fine ? h->run + 1 : 1;
	h->last = fine;
	if (h->state == now || (h->run < threshold && !at_once))
		return false;
	h->state = now;
	return true;
}
