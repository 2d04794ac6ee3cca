/*
 * Timing of a fabric: what the profiles say, what overrides them, and delays drawn from ranges.
 */
#include "lib/topo_priv.h"

#include <stdio.h>
#include <string.h>

#define SECONDS(min, max)                                                                          \
	{                                                                                          \
		(min) * 1000, (max)*1000                                                           \
	}

/* Sections 1.2 and 6 of the semantics; TIME-1 for Azure's timers. */
static const struct topo_timing profile_azure = {
	.profile = "azure",
	.keepalive_ms = 60000,
	.hold_ms = 180000, /* TIME-8: a silent peer is lost 120 to 180 s later */
	.connect_retry_ms = 30000,
	.bfd_ms = 300, /* ER-4, TIME-12 */
	.converge_quiet_ms = 1000,
	.link_detect = false, /* RS-91 */
	.probe_interval_ms = 5000,
	.delays = {
		.nic_programming = SECONDS(1, 5), /* TIME-2, TIME-3 */
		.effective_routes = SECONDS(19, 25), /* TIME-5, TIME-6 */
		.instance_failover = SECONDS(180, 180),
		.udr = SECONDS(10, 60),     /* TIME-10 */
		.peering = SECONDS(15, 60), /* TIME-11 */
		.peering_routes = SECONDS(15, 30),
		.anti_flap = SECONDS(30, 30), /* TIME-4 */
		.ibgp = SECONDS(1, 3),        /* TIME-20 */
		.er_reconvergence = SECONDS(0, 60),      /* TIME-13 */
		.vpn_failover = SECONDS(60, 180),        /* TIME-15, OPEN-7 */
		.vpn_failover_planned = SECONDS(10, 15),
		.scale_out = SECONDS(1500, 1500), /* TIME-19 */
		.rs_change = SECONDS(600, 600),   /* RS-11 */
	},
};

static const struct topo_timing profile_fast = {
	.profile = "fast",
	.keepalive_ms = 1000,
	.hold_ms = 3000,
	.connect_retry_ms = 1000,
	.bfd_ms = 300,
	.converge_quiet_ms = 100,
	.link_detect = true,
	.probe_interval_ms = 1000,
};

static const struct {
	const char *key;
	size_t at; /* in struct topo_delays */
} delays[] = {
	{ "nic_programming", offsetof(struct topo_delays, nic_programming) },
	{ "effective_routes", offsetof(struct topo_delays, effective_routes) },
	{ "instance_failover", offsetof(struct topo_delays, instance_failover) },
	{ "udr", offsetof(struct topo_delays, udr) },
	{ "peering", offsetof(struct topo_delays, peering) },
	{ "peering_routes", offsetof(struct topo_delays, peering_routes) },
	{ "anti_flap", offsetof(struct topo_delays, anti_flap) },
	{ "ibgp", offsetof(struct topo_delays, ibgp) },
	{ "er_reconvergence", offsetof(struct topo_delays, er_reconvergence) },
	{ "vpn_failover", offsetof(struct topo_delays, vpn_failover) },
	{ "vpn_failover_planned", offsetof(struct topo_delays, vpn_failover_planned) },
	{ "scale_out", offsetof(struct topo_delays, scale_out) },
	{ "rs_change", offsetof(struct topo_delays, rs_change) },
};

#define N_DELAYS (sizeof(delays) / sizeof(delays[0]))

static struct topo_range *
delay_at(struct topo_delays *d, size_t i)
{
	return (struct topo_range *)(void *)((char *)d + delays[i].at);
}

/* True if key was given. */
static bool
take_ms(const json_t *given, const char *key, uint32_t *out)
{
	if (topo_get_text(given, key) == NULL)
		return false;
	*out = topo_get_ms(given, key);
	return true;
}

static bool
take_bgp(struct topo_timing *t, const json_t *bgp)
{
	bool keepalive = take_ms(bgp, "keepalive", &t->keepalive_ms);

	take_ms(bgp, "hold", &t->hold_ms);
	/* RFC 4271 4.4: without a keepalive of its own, a third of the hold time at most. */
	if (!keepalive && t->keepalive_ms > t->hold_ms / 3)
		t->keepalive_ms = t->hold_ms / 3;
	take_ms(bgp, "connect_retry", &t->connect_retry_ms);
	take_ms(bgp, "bfd", &t->bfd_ms);
	return json_object_size(bgp) > 0;
}

static bool
take_delays(struct topo_timing *t, const json_t *given)
{
	bool any = false;

	for (size_t i = 0; i < N_DELAYS; i++) {
		const char *text = topo_get_text(given, delays[i].key);

		if (text == NULL)
			continue;
		topo_range_parse(delay_at(&t->delays, i), text);
		any = true;
	}
	return any;
}

struct topo_timing
topo_timing_build(const json_t *fabric)
{
	const json_t *given = json_object_get(fabric, "timing");
	const char *profile = topo_get_text(given, "profile");
	const char *detect = topo_get_text(given, "link_detect");
	bool fast = profile != NULL && strcmp(profile, "fast") == 0, custom = detect != NULL;
	struct topo_timing t = fast ? profile_fast : profile_azure;

	custom |= take_bgp(&t, json_object_get(given, "bgp"));
	custom |= take_ms(given, "converge_quiet", &t.converge_quiet_ms);
	custom |= take_delays(&t, json_object_get(given, "delays"));
	if (detect != NULL)
		t.link_detect = strcmp(detect, "at_once") == 0;
	t.seed = json_object_get(given, "seed") != NULL ? topo_get_u32(given, "seed") : 1;
	if (custom)
		snprintf(t.profile, sizeof(t.profile), "custom");
	return t;
}

bool
topo_timing_draws(const struct topo_timing *t)
{
	struct topo_delays d = t->delays;

	for (size_t i = 0; i < N_DELAYS; i++)
		if (delay_at(&d, i)->min_ms != delay_at(&d, i)->max_ms)
			return true;
	return false;
}

const char *
topo_timing_text(char out[static TOPO_TIMING_TEXT_MAX], const struct topo_timing *t)
{
	if (topo_timing_draws(t))
		snprintf(out, TOPO_TIMING_TEXT_MAX, "%s, seed %u", t->profile, t->seed);
	else
		snprintf(out, TOPO_TIMING_TEXT_MAX, "%s", t->profile);
	return out;
}

/* The finalizer of splitmix64: neighbouring seeds and numbers give unrelated results. */
static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint32_t
topo_draw_ms(struct topo_range r, uint32_t seed, const char *name, uint64_t n)
{
	uint64_t h = mix(seed);

	for (const char *c = name; *c != '\0'; c++)
		h = mix(h ^ (unsigned char)*c);
	h = mix(h ^ n);
	return r.min_ms + (uint32_t)(h % ((uint64_t)r.max_ms - r.min_ms + 1));
}
