/*
 * The first look at a topology file, before a YAML parser sees it: is it text at all? UTF-8 without
 * control characters, and without runs of blanks. libfyaml 0.7 takes an octet that is not UTF-8 for
 * the end of the file, and quadratic time over blanks.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <string.h>

/* RFC 3629: shortest form, no surrogates. */
size_t
topo_utf8_length(const char *text, size_t left)
{
	const unsigned char *s = (const unsigned char *)text;
	static const struct {
		unsigned char first, last; /* range of the first octet */
		unsigned char low, high;   /* of the second */
		size_t n;
	} forms[] = {
		{ 0x00, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		if (s[0] < forms[f].first || s[0] > forms[f].last)
			continue;
		if (forms[f].n == 1)
			return 1;
		if (left < forms[f].n || s[1] < forms[f].low || s[1] > forms[f].high)
			return 0;
		for (size_t i = 2; i < forms[f].n; i++)
			if ((s[i] & 0xc0) != 0x80)
				return 0;
		return forms[f].n;
	}
	return 0;
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

void
topo_text_clean(char *text)
{
	size_t len = strlen(text), n;

	for (size_t i = 0; i < len; i += n) {
		n = topo_utf8_length(&text[i], len - i);
		if (n == 0) {
			text[i] = '?';
			n = 1;
		} else if (is_control(text[i])) {
			text[i] = ' ';
		}
	}
}

int
topo_text_check(const char *text, size_t len, struct topo_errors *errs)
{
	const char *fault = NULL;
	unsigned line = 1, blanks = 0;
	size_t n;

	for (size_t i = 0; i < len && fault == NULL; i += n) {
		n = topo_utf8_length(&text[i], len - i);
		blanks = text[i] == ' ' || text[i] == '\t' ? blanks + 1 : 0;
		if (n == 0)
			fault = "this is not text in UTF-8";
		else if (is_control(text[i]) && memchr("\t\n\r", text[i], 3) == NULL)
			fault = "this is not text: there is a control character";
		else if (blanks > TOPO_BLANKS_MAX)
			fault = "too many blanks in a row";
		else if (text[i] == '\n')
			line++;
	}
	if (fault == NULL)
		return FAB_OK;
	topo_error_add(errs, line, "InvalidText", "%s", fault);
	return FAB_EINVAL;
}
