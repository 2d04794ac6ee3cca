#include "vswitchd/vs_plane.h"

#include "lib/err.h"
#include "lib/log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

/* The object file, as clang wrote it. */
__asm__(".section .rodata\n"
	".balign 8\n"
	"vs_fast_object:\n"
	".incbin \"" VS_FAST_OBJECT "\"\n"
	"vs_fast_object_end:\n"
	".previous\n");
extern const char vs_fast_object[], vs_fast_object_end[];

/* ---- words ---- */

static bool
has_capability(unsigned cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[cap / 32].effective >> cap % 32 & 1) != 0;
}

static int
refused(int error, char why[static VS_PLANE_WHY_MAX])
{
	const char *missing = NULL;

	if (!has_capability(CAP_BPF) && !has_capability(CAP_SYS_ADMIN))
		missing = "CAP_BPF";
	else if (!has_capability(CAP_NET_ADMIN))
		missing = "CAP_NET_ADMIN";
	if ((error == EPERM || error == EACCES) && missing != NULL)
		snprintf(why, VS_PLANE_WHY_MAX, "%s is missing", missing);
	else if (error == EPERM || error == EACCES)
		snprintf(why, VS_PLANE_WHY_MAX,
		    "the kernel refuses BPF programs here (a user namespace, or its lockdown)");
	else
		snprintf(
		    why, VS_PLANE_WHY_MAX, "cannot load the BPF programs: %s", strerror(error));
	return error == EPERM || error == EACCES ? FAB_EPERM
	       : error == ENOMEM                 ? FAB_ENOMEM
						 : FAB_ENOTSUP;
}

/* What the verifier has to say is for who changes the programs. */
static int
quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && getenv("FAB_BPF_LOG") != NULL)
		vfprintf(stderr, format, args);
	return 0;
}

/* ---- arrays ---- */

struct array {
	const char *name;
	uint32_t n;
	size_t size; /* of a cell */
	void **cells;
};

static int
map_array(struct vs_plane *p, const struct array *a)
{
	int fd = bpf_object__find_map_fd_by_name(p->object, a->name);
	long page = sysconf(_SC_PAGESIZE);
	size_t size = (a->n * a->size + (size_t)page - 1) & ~((size_t)page - 1);
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return errno;
	*a->cells = at;
	p->maps[p->n_maps].at = at;
	p->maps[p->n_maps++].size = size;
	p->octets += size;
	return 0;
}

static int
load(struct vs_plane *p, const struct array *arrays, size_t n, bool test)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "vs_fast");
	int error;

	libbpf_set_print(quiet);
	p->object = bpf_object__open_mem(
	    vs_fast_object, (size_t)(vs_fast_object_end - vs_fast_object), &options);
	if (p->object == NULL)
		return errno;
	for (size_t i = 0; i < n; i++)
		bpf_map__set_max_entries(
		    bpf_object__find_map_by_name(p->object, arrays[i].name), arrays[i].n);
	bpf_program__set_autoload(bpf_object__find_program_by_name(p->object, "fast_test"), test);
	if ((error = -bpf_object__load(p->object)) != 0)
		return error;
	for (size_t i = 0; i < n && error == 0; i++)
		error = map_array(p, &arrays[i]);
	return error;
}

static int
program(const struct vs_plane *p, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(p->object, name));
}

int
vs_plane_new(struct vs_plane **out, const struct vs_flat_room *room, uint32_t slots, bool test,
    char why[static VS_PLANE_WHY_MAX])
{
	struct vs_plane *p = calloc(1, sizeof(*p));
	int cpus = libbpf_num_possible_cpus(), error;

	if (p == NULL)
		return FAB_ENOMEM;
	if (cpus < 1)
		cpus = 1;
#define ARRAY(what, n, field)                                                                      \
	{                                                                                          \
		"fast_" #what, n, sizeof(*(field)), (void **)&(field)                              \
	}
	const struct array arrays[] = {
		ARRAY(control, 1, p->cells.control),
		ARRAY(roots, FAST_ROOTS, p->cells.roots),
		ARRAY(ports, room->ports, p->cells.ports),
		ARRAY(tables, room->tables, p->cells.tables),
		ARRAY(ranges, room->ranges, p->cells.ranges),
		ARRAY(entries, room->entries, p->cells.entries),
		ARRAY(groups, room->groups, p->cells.groups),
		ARRAY(members, room->members, p->cells.members),
		ARRAY(links, slots, p->links),
		ARRAY(tallies, slots * (uint32_t)cpus, p->tallies),
	};
#undef ARRAY
	if ((error = load(p, arrays, sizeof(arrays) / sizeof(arrays[0]), test)) != 0) {
		vs_plane_free(p);
		return refused(error, why);
	}
	p->slots = slots;
	p->cells.control->cpus = (uint32_t)cpus;
	p->port_program = program(p, "fast_port");
	p->trunk_program = program(p, "fast_trunk");
	p->closed_program = program(p, "fast_closed");
	p->test_program = test ? program(p, "fast_test") : -1;
	*out = p;
	return FAB_OK;
}

void
vs_plane_free(struct vs_plane *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_maps; i++)
		munmap(p->maps[i].at, p->maps[i].size);
	bpf_object__close(p->object);
	free(p);
}

struct fast_tally
vs_plane_tally(const struct vs_plane *p, uint32_t slot)
{
	const struct fast_tally *t = p->tallies + (size_t)slot * p->cells.control->cpus;
	struct fast_tally sum = { 0 };

	for (uint32_t i = 0; i < p->cells.control->cpus; i++) {
		sum.rx_packets += __atomic_load_n(&t[i].rx_packets, __ATOMIC_RELAXED);
		sum.rx_octets += __atomic_load_n(&t[i].rx_octets, __ATOMIC_RELAXED);
		sum.tx_packets += __atomic_load_n(&t[i].tx_packets, __ATOMIC_RELAXED);
		sum.tx_octets += __atomic_load_n(&t[i].tx_octets, __ATOMIC_RELAXED);
	}
	return sum;
}
