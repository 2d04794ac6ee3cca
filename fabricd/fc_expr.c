/*
 * Parser of conditions (see fc_expr.h): each kind is a row of argument types.
 */
#include "fabricd/fc_expr.h"

#include "lib/bgp_attr.h"
#include "lib/err.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 12

/* Arguments: a and b names, p prefix, u up or down, d verdict; a question mark: all of them or
 * none. Behind them, in any order and as one likes: "via ADDR" (v) or "via WORD" (w), "path P" and
 * "community C" (s). */
static const struct {
	const char *word, *args, *usage;
} forms[] = {
	[FC_EXPR_CONVERGED] = { "converged", "", "converged" },
	[FC_EXPR_SETTLED] = { "settled", "", "settled" },
	[FC_EXPR_EFFECTIVE] = { "effective", "apv", "effective NIC PREFIX [via ADDR]" },
	[FC_EXPR_LEARNED] = { "learned", "abps", "learned RS PEER PREFIX [path P] [community C]" },
	[FC_EXPR_ADVERTISED] = { "advertised", "abps",
	    "advertised RS PEER PREFIX [path P] [community C]" },
	[FC_EXPR_KNOWS] = { "knows", "apws",
	    "knows ROUTER PREFIX [via NODE] [path P] [community C]" },
	[FC_EXPR_TRACE] = { "trace", "abdw",
	    "trace SRC DST delivered|loop|blackhole|filtered [via NVA,NVA...|via none]" },
	[FC_EXPR_SYMMETRIC] = { "symmetric", "ab", "symmetric A B" },
	[FC_EXPR_LOOP] = { "loop", "?ab", "loop [A B]" },
	[FC_EXPR_SESSION] = { "session", "abu", "session A B up|down" },
	[FC_EXPR_NODE] = { "node", "au", "node NAME up|down" },
	[FC_EXPR_BACKEND] = { "backend", "abu", "backend LB NAME up|down" },
};
_Static_assert(sizeof(forms) / sizeof(forms[0]) == FC_EXPR_KIND_COUNT, "forms");

static int
take_verdict(struct fc_expr *e, const char *word, char why[static 256])
{
	for (int v = 0; v < FC_VERDICT_COUNT; v++) {
		e->verdict = (enum fc_verdict)v;
		if (strcmp(word, fc_verdict_name(e->verdict)) == 0)
			return FAB_OK;
	}
	snprintf(why, 256, "'%.60s' is neither delivered, loop, blackhole nor filtered", word);
	return FAB_EINVAL;
}

static int
take_arg(struct fc_expr *e, char type, const char *word, char why[static 256])
{
	switch (type) {
	case 'a':
		snprintf(e->a, sizeof(e->a), "%s", word);
		return FAB_OK;
	case 'b':
		snprintf(e->b, sizeof(e->b), "%s", word);
		return FAB_OK;
	case 'p':
		if (ipnet_parse(&e->prefix, word) == FAB_OK)
			return FAB_OK;
		snprintf(why, 256, "'%.60s' is not a prefix such as 10.1.0.0/16", word);
		return FAB_EINVAL;
	case 'd':
		return take_verdict(e, word, why);
	default:
		e->up = strcmp(word, "up") == 0;
		if (e->up || strcmp(word, "down") == 0)
			return FAB_OK;
		snprintf(why, 256, "'%.60s' is neither up nor down", word);
		return FAB_EINVAL;
	}
}

static int
take_via(struct fc_expr *e, char type, const char *word, char why[static 256])
{
	e->has_via = true;
	if (type == 'w') {
		snprintf(e->way, sizeof(e->way), "%s", strcmp(word, "none") == 0 ? "" : word);
		return FAB_OK;
	}
	if (ipaddr_parse(&e->via, word) == FAB_OK)
		return FAB_OK;
	snprintf(why, 256, "'%.60s' is not an address", word);
	return FAB_EINVAL;
}

static int
take_path(struct fc_expr *e, const char *word, char why[static 256])
{
	if (strcmp(word, "none") != 0 &&
	    (strspn(word, "0123456789-") != strlen(word) || word[0] == '-')) {
		snprintf(why, 256, "'%.60s' is not a path such as 65515-65001, or none", word);
		return FAB_EINVAL;
	}
	snprintf(e->path, sizeof(e->path), "%s", word);
	return FAB_OK;
}

static int
take_community(struct fc_expr *e, const char *word, char why[static 256])
{
	e->has_community = true;
	if (bgp_community_parse(&e->community, word) == FAB_OK)
		return FAB_OK;
	snprintf(why, 256, "'%.60s' is not a community such as 65517:65517", word);
	return FAB_EINVAL;
}

/* Two words that may be there; *known is false if not for this condition. */
static int
take_option(struct fc_expr *e, const char *args, char **words, bool *known, char why[static 256])
{
	bool attrs = strchr(args, 's') != NULL;
	const char *via = strpbrk(args, "vw");

	*known = true;
	if (via != NULL && strcmp(words[0], "via") == 0)
		return take_via(e, *via, words[1], why);
	if (attrs && strcmp(words[0], "path") == 0)
		return take_path(e, words[1], why);
	if (attrs && strcmp(words[0], "community") == 0)
		return take_community(e, words[1], why);
	*known = false;
	return FAB_EINVAL;
}

static int
usage(const struct fc_expr *e, char why[static 256])
{
	snprintf(why, 256, "expected: %s", forms[e->kind].usage);
	return FAB_EINVAL;
}

/* n words behind the keyword. */
static int
take_args(struct fc_expr *e, char **words, size_t n, char why[static 256])
{
	const char *args = forms[e->kind].args;
	bool may_lack = args[0] == '?', known = true;
	size_t need = strcspn(args += may_lack, "vws"), i;
	int err = FAB_OK;

	if (may_lack && n == 0)
		return FAB_OK;
	if (n < need || (n - need) % 2 != 0)
		return usage(e, why);
	for (i = 0; i < need && err == FAB_OK; i++)
		err = take_arg(e, args[i], words[i], why);
	for (; i < n && err == FAB_OK && known; i += 2)
		err = take_option(e, args + need, &words[i], &known, why);
	return known ? err : usage(e, why);
}

bool
fc_expr_asks(const struct fc_expr *e)
{
	return e->kind == FC_EXPR_LEARNED || e->kind == FC_EXPR_ADVERTISED ||
	       (e->kind == FC_EXPR_KNOWS && (e->path[0] != '\0' || e->has_community));
}

static int
find_form(struct fc_expr *e, const char *word, char why[static 256])
{
	for (int k = 0; k < FC_EXPR_KIND_COUNT; k++) {
		if (strcmp(word, forms[k].word) != 0)
			continue;
		e->kind = (enum fc_expr_kind)k;
		if ((e->kind != FC_EXPR_CONVERGED && e->kind != FC_EXPR_SETTLED) || !e->negate)
			return FAB_OK;
		snprintf(why, 256, "'no %s' is not a condition", forms[k].word);
		return FAB_EINVAL;
	}
	snprintf(why, 256, "unknown condition '%.60s': expected ", word);
	for (int k = 0; k < FC_EXPR_KIND_COUNT; k++)
		snprintf(why + strlen(why), 256 - strlen(why), "%s, ", forms[k].word);
	snprintf(why + strlen(why), 256 - strlen(why), "or no and one of these");
	return FAB_EINVAL;
}

int
fc_expr_parse(struct fc_expr *out, const char *text, char why[static 256])
{
	char copy[FC_EXPR_MAX], *words[WORDS_MAX], *save = NULL;
	struct fc_expr e = { 0 };
	size_t n = 0, at;
	int err;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy)) {
		snprintf(why, 256, "condition longer than %d characters", FC_EXPR_MAX - 1);
		return FAB_EINVAL;
	}
	for (char *w = strtok_r(copy, " \t\n", &save); w != NULL;
	     w = strtok_r(NULL, " \t\n", &save)) {
		if (n == WORDS_MAX || strlen(w) >= FC_EXPR_WORD) {
			snprintf(why, 256, "a condition has at most %d words of %d characters",
			    WORDS_MAX, FC_EXPR_WORD - 1);
			return FAB_EINVAL;
		}
		words[n++] = w;
	}
	e.negate = n > 0 && strcmp(words[0], "no") == 0;
	at = e.negate ? 1 : 0;
	err = find_form(&e, n > at ? words[at] : "", why);
	if (err == FAB_OK)
		err = take_args(&e, &words[at + 1], n - at - 1, why);
	if (err == FAB_OK)
		*out = e;
	return err;
}
