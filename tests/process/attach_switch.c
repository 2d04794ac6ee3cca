/*
 * vswitchd without packets, for test_attach.py: takes guests on argv[1] and holds their TAPs. Ports
 * come as lines on standard input, "port NAME ADDRESS LENGTH MTU", "router NAME" or "gone NAME";
 * what happens goes to standard output, "NAME attached" and "NAME detached", "ok" after each line.
 */
#include "lib/err.h"
#include "lib/ipnet.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "vswitchd/vs_attach.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTS_MAX 2048

struct port {
	char name[VS_NAME_MAX];
	struct vs_port_conf conf;
	int tap; /* -1: none */
};

static struct port ports[PORTS_MAX];
static size_t n_ports;

static struct port *
find(const char *name)
{
	for (size_t i = 0; i < n_ports; i++) {
		if (strcmp(ports[i].name, name) == 0)
			return &ports[i];
	}
	return NULL;
}

static const struct vs_port_conf *
port_conf(void *ctx, const char *name)
{
	const struct port *p = find(name);

	(void)ctx;
	return p != NULL && p->conf.up ? &p->conf : NULL;
}

static int
engine_attach(struct vs_engine *e, const char *name, int fd)
{
	struct port *p = find(name);

	(void)e;
	if (p == NULL || p->tap >= 0)
		return FAB_EEXIST;
	p->tap = fd;
	return FAB_OK;
}

static int
engine_detach(struct vs_engine *e, const char *name)
{
	struct port *p = find(name);

	(void)e;
	if (p == NULL || p->tap < 0)
		return FAB_ENOENT;
	close(p->tap);
	p->tap = -1;
	return FAB_OK;
}

static void
changed(void *ctx, const char *name, bool attached)
{
	(void)ctx;
	printf("%s %s\n", name, attached ? "attached" : "detached");
}

static void
take_line(const char *line)
{
	char word[16] = "", name[VS_NAME_MAX] = "", address[IPADDR_STRLEN] = "";
	unsigned len = 0, mtu = 0;
	struct port *p;

	sscanf(line, "%15s %63s %15s %u %u", word, name, address, &len, &mtu);
	if ((p = find(name)) == NULL) {
		FAB_ASSERT(n_ports < PORTS_MAX);
		p = &ports[n_ports++];
		p->tap = -1;
		memcpy(p->name, name, sizeof(name));
	}
	p->conf = (struct vs_port_conf){ .name = p->name,
		.prefix_len = (uint8_t)len,
		.mtu = (uint16_t)mtu,
		.router = strcmp(word, "router") == 0,
		.up = strcmp(word, "gone") != 0 };
	ipaddr_parse(&p->conf.ip, address);
}

struct input {
	struct fab_loop *loop;
	struct vs_attach *attach;
};

static void
on_input(evutil_socket_t fd, short what, void *arg)
{
	struct input *in = arg;
	char line[256];

	(void)fd;
	(void)what;
	if (fgets(line, sizeof(line), stdin) == NULL) {
		fab_loop_stop(in->loop);
		return;
	}
	take_line(line);
	vs_attach_refresh(in->attach);
	printf("ok\n");
}

int
main(int argc, char **argv)
{
	static const struct vs_engine_ops ops = {
		.name = "none", .attach = engine_attach, .detach = engine_detach
	};
	struct vs_engine engine = { &ops };
	struct input in = { 0 };
	struct vs_attach_conf conf = {
		.mode = 0600, .engine = &engine, .port = port_conf, .changed = changed
	};
	struct event *ev;

	FAB_ASSERT(argc == 2);
	fab_log_init("switch", FAB_LOG_INFO);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0); /* a line a turn: the loop sees what is left */
	FAB_ASSERT(fab_loop_new(&in.loop) == FAB_OK && fab_loop_handle_signals(in.loop) == FAB_OK);
	conf.loop = in.loop;
	conf.path = argv[1];
	FAB_ASSERT(vs_attach_new(&in.attach, &conf) == FAB_OK);
	ev = event_new(fab_loop_base(in.loop), STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &in);
	FAB_ASSERT(ev != NULL && event_add(ev, NULL) == 0);
	fab_loop_run(in.loop);
	vs_attach_free(in.attach);
	event_free(ev);
	fab_loop_free(in.loop);
	return 0;
}
