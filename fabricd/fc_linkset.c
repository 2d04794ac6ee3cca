/*
 * Rows of links by place (see fc_linkset.h).
 */
#include "fabricd/fc_linkset.h"

#include "lib/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR "\t" /* no name has it */

static const char *const kinds[] = { [FC_LINK_NODES] = "nodes",
	[FC_LINK_NIC_OUT] = "out",
	[FC_LINK_NIC_IN] = "in",
	[FC_LINK_REGIONS] = "regions" };
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == FC_LINK_KIND_COUNT, "a kind has no word");

struct fc_linkset {
	struct fc_link_row *rows;
};

/* ---- life ---- */

int
fc_linkset_new(struct fc_linkset **out)
{
	struct fc_linkset *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return FAB_ENOMEM;
	*out = s;
	return FAB_OK;
}

static void
row_free(struct fc_linkset *s, struct fc_link_row *r)
{
	HASH_DEL(s->rows, r);
	free(r->from);
	free(r);
}

void
fc_linkset_free(struct fc_linkset *s)
{
	struct fc_link_row *r, *tmp;

	if (s == NULL)
		return;
	HASH_ITER (hh, s->rows, r, tmp)
		row_free(s, r);
	free(s);
}

/* ---- states ---- */

bool
fc_link_shape_is_nothing(const struct fc_link_shape *s)
{
	return s->delay_us == 0 && s->jitter_us == 0 && s->loss_ppm == 0 && s->rate == 0;
}

bool
fc_link_state_eq(const struct fc_link_state *a, const struct fc_link_state *b)
{
	return a->cut == b->cut && a->shaped == b->shaped &&
	       a->shape.delay_us == b->shape.delay_us && a->shape.jitter_us == b->shape.jitter_us &&
	       a->shape.loss_ppm == b->shape.loss_ppm && a->shape.rate == b->shape.rate;
}

void
fc_link_state_format(char out[static FC_LINK_BODY_MAX], const struct fc_link_state *s)
{
	snprintf(out, FC_LINK_BODY_MAX,
	    "cut=%d shaped=%d delay_us=%u jitter_us=%u loss_ppm=%u rate=%" PRIu64, s->cut,
	    s->shaped, s->shape.delay_us, s->shape.jitter_us, s->shape.loss_ppm, s->shape.rate);
}

/* "cut=1", one word of a body. */
static int
parse_word(struct fc_link_state *s, const char *word)
{
	const char *eq = strchr(word, '=');
	uint64_t value;
	char *end;

	if (eq == NULL || eq[1] < '0' || eq[1] > '9')
		return FAB_EBADMSG;
	value = strtoull(eq + 1, &end, 10);
	if (*end != '\0')
		return FAB_EBADMSG;
	if (strncmp(word, "cut=", 4) == 0)
		s->cut = value != 0;
	else if (strncmp(word, "shaped=", 7) == 0)
		s->shaped = value != 0;
	else if (strncmp(word, "delay_us=", 9) == 0)
		s->shape.delay_us = (uint32_t)value;
	else if (strncmp(word, "jitter_us=", 10) == 0)
		s->shape.jitter_us = (uint32_t)value;
	else if (strncmp(word, "loss_ppm=", 9) == 0)
		s->shape.loss_ppm = (uint32_t)value;
	else if (strncmp(word, "rate=", 5) == 0)
		s->shape.rate = value;
	else
		return FAB_EBADMSG;
	return FAB_OK;
}

static int
parse_state(struct fc_link_state *out, const char *body)
{
	char copy[FC_LINK_BODY_MAX], *rest, *word;
	int err = FAB_OK;

	*out = (struct fc_link_state){ 0 };
	if (strlen(body) >= sizeof(copy))
		return FAB_EBADMSG;
	memcpy(copy, body, strlen(body) + 1);
	for (word = strtok_r(copy, " ", &rest); word != NULL && err == FAB_OK;
	     word = strtok_r(NULL, " ", &rest))
		err = parse_word(out, word);
	return out->shape.loss_ppm <= 1000000 ? err : FAB_EBADMSG;
}

/* ---- rows ---- */

static bool
make_key(char out[static FC_LINK_KEY_MAX], enum fc_link_kind kind, const char *from, const char *to)
{
	return snprintf(out, FC_LINK_KEY_MAX, "%s" SEPARATOR "%s" SEPARATOR "%s", kinds[kind], from,
		   to) < FC_LINK_KEY_MAX;
}

static struct fc_link_row *
find(const struct fc_linkset *s, const char *key)
{
	struct fc_link_row *r;

	HASH_FIND_STR(s->rows, key, r);
	return r;
}

/* from and to lie in one allocation. */
static struct fc_link_row *
row_new(const char *key, enum fc_link_kind kind, const char *from, const char *to)
{
	size_t size = strlen(key) + 1, len = strlen(from) + 1;
	struct fc_link_row *r = calloc(1, sizeof(*r) + size);

	if (r == NULL || (r->from = malloc(len + strlen(to) + 1)) == NULL) {
		free(r);
		return NULL;
	}
	r->kind = kind;
	memcpy(r->from, from, len);
	r->to = r->from + len;
	memcpy(r->to, to, strlen(to) + 1);
	memcpy(r->key, key, size);
	return r;
}

static int
row_cmp(const struct fc_link_row *a, const struct fc_link_row *b)
{
	return strcmp(a->key, b->key);
}

int
fc_linkset_put(struct fc_linkset *s, enum fc_link_kind kind, const char *from, const char *to,
    const struct fc_link_state *state)
{
	char key[FC_LINK_KEY_MAX];
	struct fc_link_row *r;

	if (!make_key(key, kind, from, to))
		return FAB_ETOOBIG;
	r = find(s, key);
	if (!state->cut && !state->shaped) {
		if (r != NULL)
			row_free(s, r);
		return FAB_OK;
	}
	if (r == NULL) {
		if (HASH_COUNT(s->rows) >= FC_LINKS_MAX)
			return FAB_ETOOBIG;
		if ((r = row_new(key, kind, from, to)) == NULL)
			return FAB_ENOMEM;
		HASH_ADD_KEYPTR_INORDER(hh, s->rows, r->key, strlen(r->key), r, row_cmp);
	}
	r->state = *state;
	return FAB_OK;
}

struct fc_link_state
fc_linkset_get(const struct fc_linkset *s, enum fc_link_kind kind, const char *from, const char *to)
{
	static const struct fc_link_state nothing;
	const struct fc_link_row *r;
	char key[FC_LINK_KEY_MAX];

	if (s->rows == NULL || !make_key(key, kind, from, to))
		return nothing;
	r = find(s, key);
	return r != NULL ? r->state : nothing;
}

int
fc_linkset_load(struct fc_linkset *s, const char *key, const char *body)
{
	char copy[FC_LINK_KEY_MAX], *from, *to;
	struct fc_link_state state;
	int kind = 0;

	if (strlen(key) >= sizeof(copy))
		return FAB_EBADMSG;
	memcpy(copy, key, strlen(key) + 1);
	if ((from = strchr(copy, SEPARATOR[0])) == NULL ||
	    (to = strchr(from + 1, SEPARATOR[0])) == NULL)
		return FAB_EBADMSG;
	*from++ = *to++ = '\0';
	while (kind < FC_LINK_KIND_COUNT && strcmp(kinds[kind], copy) != 0)
		kind++;
	if (kind == FC_LINK_KIND_COUNT || parse_state(&state, body) != FAB_OK)
		return FAB_EBADMSG;
	return fc_linkset_put(s, (enum fc_link_kind)kind, from, to, &state);
}

const struct fc_link_row *
fc_linkset_next(const struct fc_linkset *s, const struct fc_link_row *after)
{
	return after == NULL ? s->rows : after->hh.next;
}

size_t
fc_linkset_count(const struct fc_linkset *s)
{
	return HASH_COUNT(s->rows);
}

/* ---- two of them ---- */

static uint32_t
smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint64_t
faster(uint64_t a, uint64_t b)
{
	return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

struct fc_link_state
fc_link_state_both(const struct fc_link_state *a, const struct fc_link_state *b)
{
	return (struct fc_link_state){ .cut = a->cut && b->cut,
		.shaped = a->shaped && b->shaped,
		.shape = { .delay_us = smaller(a->shape.delay_us, b->shape.delay_us),
		    .jitter_us = smaller(a->shape.jitter_us, b->shape.jitter_us),
		    .loss_ppm = smaller(a->shape.loss_ppm, b->shape.loss_ppm),
		    .rate = faster(a->shape.rate, b->shape.rate) } };
}
