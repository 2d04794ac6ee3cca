#include "fabctl/ctl_probe_stat.h"

#include "lib/err.h"

#include <stdlib.h>

struct arrival {
	uint64_t ns;
	size_t number;
};

static int
arrival_cmp(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static int
ns_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t
span(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static void
gap(struct ctl_probe_stat *s, uint64_t from, uint64_t to)
{
	if (span(from, to) <= s->longest_gap_ns)
		return;
	s->longest_gap_ns = span(from, to);
	s->gap_end_ns = to;
}

static void
look_at_arrivals(struct ctl_probe_stat *s, const struct ctl_probe_record *r, struct arrival *v)
{
	uint64_t last = r[0].sent_ns;
	size_t highest = 0, k = 0;

	for (size_t i = 0; i < s->sent; i++) {
		if (r[i].arrivals > 0)
			v[k++] = (struct arrival){ r[i].arrived_ns, i };
	}
	qsort(v, k, sizeof(*v), arrival_cmp);
	for (size_t i = 0; i < k; i++) {
		gap(s, last, v[i].ns);
		last = v[i].ns;
		if (v[i].number < highest)
			s->reordered++;
		else
			highest = v[i].number;
	}
	gap(s, last, r[s->sent - 1].sent_ns);
}

static void
look_at_losses(struct ctl_probe_stat *s, const struct ctl_probe_record *r)
{
	for (size_t i = 0, first; i < s->sent; i++) {
		uint64_t end;

		if (r[i].arrivals > 0)
			continue;
		for (first = i; i < s->sent && r[i].arrivals == 0; i++)
			continue;
		end = i < s->sent ? r[i].arrived_ns : r[s->sent - 1].sent_ns;
		if (span(r[first].sent_ns, end) < s->outage_ns)
			continue;
		s->outage_ns = span(r[first].sent_ns, end);
		s->outage_end_ns = end;
	}
}

static void
look_at_answers(struct ctl_probe_stat *s, const struct ctl_probe_record *r, uint64_t *v)
{
	for (size_t i = 0; i < s->sent; i++) {
		if (r[i].answered_ns != 0)
			v[s->answered++] = span(r[i].sent_ns, r[i].answered_ns);
	}
	if (s->answered == 0)
		return;
	qsort(v, s->answered, sizeof(*v), ns_cmp);
	s->rtt_median_ns = v[s->answered / 2];
	s->rtt_p99_ns = v[s->answered * 99 / 100];
}

int
ctl_probe_stat(struct ctl_probe_stat *out, const struct ctl_probe_record *r, size_t n)
{
	struct ctl_probe_stat s = { .sent = n };
	struct arrival *arrivals = NULL;
	uint64_t *rtts = NULL;
	int err = FAB_OK;

	for (size_t i = 0; i < n; i++) {
		s.received += r[i].arrivals > 0;
		s.duplicated += r[i].arrivals > 1 ? r[i].arrivals - 1 : 0;
	}
	s.lost = n - s.received;
	if (n > 0) {
		arrivals = calloc(n, sizeof(*arrivals));
		rtts = calloc(n, sizeof(*rtts));
		if (arrivals == NULL || rtts == NULL) {
			err = FAB_ENOMEM;
		} else {
			look_at_arrivals(&s, r, arrivals);
			look_at_losses(&s, r);
			look_at_answers(&s, r, rtts);
		}
	}
	free(arrivals);
	free(rtts);
	if (err == FAB_OK)
		*out = s;
	return err;
}
