#ifndef VSWITCHD_VS_ENGINE_H
#define VSWITCHD_VS_ENGINE_H
/*
 * What moves the packets: the userspace engine (vs_user.h), alone or with a flow cache (vs_nft.h),
 * or the BPF engine (vs_bpf.h). An engine is made for one model and ends before it. It knows
 * interfaces by the name of their port, whether the model has that port yet or not: what is
 * attached early forwards as soon as an update brings its port, and an update that renumbers all
 * ports leaves the interfaces alone.
 *
 * Loop thread only. No call waits for the network or for a guest; attach and detach wait for the
 * engine to finish the burst that it is at.
 */
#include "vswitchd/vs_model.h"

/* Frames and octets without the virtio header. They only grow, also over detach and attach again.
 * A drop is counted where the frame came from, FULL where it should have gone. */
struct vs_counters {
	bool attached; /* false too when the interface has failed: its namespace is gone */
	uint64_t rx_packets, rx_octets; /* from the guest */
	uint64_t tx_packets, tx_octets; /* to the guest */
	uint64_t drops[VS_DROP_COUNT];
};

typedef void vs_counters_fn(void *arg, const char *name, const struct vs_counters *c);
typedef void vs_stat_fn(void *arg, const char *name, uint64_t value);

struct vs_capture;
struct vs_engine;

struct vs_engine_ops {
	const char *name; /* as in SwitchHello.engine: "userspace", "userspace+nft", "bpf" */
	void (*free)(struct vs_engine *e);
	int (*attach)(struct vs_engine *e, const char *name, int fd);
	/* NULL: it takes TAPs only. */
	int (*attach_link)(struct vs_engine *e, const char *name, int ifindex);
	int (*detach)(struct vs_engine *e, const char *name);
	int (*counters)(const struct vs_engine *e, const char *name, struct vs_counters *out);
	void (*each)(const struct vs_engine *e, vs_counters_fn *fn, void *arg);
	int (*platform)(struct vs_engine *e, int fd);
	int (*capture)(struct vs_engine *e, const char *name, struct vs_capture *c, bool on);
	/* What there is to tell of the engine as a whole; NULL: nothing. */
	void (*stats)(const struct vs_engine *e, vs_stat_fn *add, void *arg);
};

/* Begins the struct of each engine, which its own _new() makes. */
struct vs_engine {
	const struct vs_engine_ops *ops;
};

/* Detaches everything; NULL is fine. */
static inline void
vs_engine_free(struct vs_engine *e)
{
	if (e != NULL)
		e->ops->free(e);
}

/* fd: a TAP with IFF_NO_PI and IFF_VNET_HDR (header of 10 octets). The engine owns it from now on,
 * on failure it is still the caller's. FAB_EEXIST: that name has an interface (detach it first, if
 * it has failed too); FAB_EINVAL: no name, too long; FAB_ETOOBIG: more than VS_PORTS_MAX. */
static inline int
vs_engine_attach(struct vs_engine *e, const char *name, int fd)
{
	return e->ops->attach(e, name, fd);
}

/* Whether a guest's interface may be a veth, and the engine would rather have that. */
static inline bool
vs_engine_takes_links(const struct vs_engine *e)
{
	return e->ops->attach_link != NULL;
}

/* ifindex: our end of the guest's veth (vs_veth.h), which the engine sets up. One that the engine
 * has under that name since an earlier vswitchd is taken over as it is. Errors as above. */
static inline int
vs_engine_attach_link(struct vs_engine *e, const char *name, int ifindex)
{
	return e->ops->attach_link(e, name, ifindex);
}

/* Closes the descriptor; no frame is read from it or written to it after this. FAB_ENOENT. */
static inline int
vs_engine_detach(struct vs_engine *e, const char *name)
{
	return e->ops->detach(e, name);
}

/* FAB_ENOENT: nothing was ever attached under that name. */
static inline int
vs_engine_counters(const struct vs_engine *e, const char *name, struct vs_counters *out)
{
	return e->ops->counters(e, name, out);
}

/* From now on (on), or no longer, c gets what that port sends and gets; several may. It must be off
 * before c is freed and before the engine is. FAB_ENOENT: nothing was ever attached under that
 * name; a port that is detached stays captured. */
static inline int
vs_engine_capture(struct vs_engine *e, const char *name, struct vs_capture *c, bool on)
{
	return e->ops->capture(e, name, c, on);
}

/* fd, the engine's from now on: one frame at a time from and to the platform (vs_platform.h), as a
 * TAP would give and take it. Once. */
static inline int
vs_engine_platform(struct vs_engine *e, int fd)
{
	return e->ops->platform(e, fd);
}

/* Everything that has counters, in no order; fn must not attach or detach. */
static inline void
vs_engine_each(const struct vs_engine *e, vs_counters_fn *fn, void *arg)
{
	e->ops->each(e, fn, arg);
}

static inline void
vs_engine_stats(const struct vs_engine *e, vs_stat_fn *add, void *arg)
{
	if (e->ops->stats != NULL)
		e->ops->stats(e, add, arg);
}

#endif
