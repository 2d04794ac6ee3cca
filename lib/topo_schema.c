/*
 * Brings the properties of a resource into full form by the tables of topo_keys.c: short forms are
 * written out, defaults filled in, every key and type checked. Goes on after a mistake, so that all
 * of them are reported at once. What comes out goes in again unchanged.
 */
#include "lib/topo_priv.h"

#include "lib/err.h"

#include <stdarg.h>
#include <string.h>

struct walk {
	const struct topo_subject *subject;
	struct topo_errors *errs;
	bool failed;
	char path[TOPO_POINTER_MAX];
};

static json_t *apply_value(struct walk *w, const struct topo_key *key, json_t *in);
static json_t *apply_struct(struct walk *w, const struct topo_key *keys, json_t *in);

const char *
topo_type_noun(enum topo_type type)
{
	static const char *const nouns[TOPO_T_COUNT] = {
		[TOPO_T_BOOL] = "true or false",
		[TOPO_T_UINT] = "a whole number",
		[TOPO_T_WORD] = "a word",
		[TOPO_T_TEXT] = "one line of text",
		[TOPO_T_NAME] = "a name",
		[TOPO_T_SUBNET] = "a subnet, written VNET/SUBNET",
		[TOPO_T_ADDR] = "an IPv4 address such as 10.1.0.4",
		[TOPO_T_PREFIX] = "an IPv4 prefix such as 10.1.0.0/16",
		[TOPO_T_DEST] = ("an IPv4 prefix such as 10.1.0.0/16 or a service tag such as "
				 "Storage.WestEurope"),
		[TOPO_T_TAG] = "a service tag such as Storage.WestEurope",
		[TOPO_T_NET] = "an IPv4 address or prefix",
		[TOPO_T_DURATION] = "a duration such as 500ms, 3s or 1m",
		[TOPO_T_RANGE] = "a duration or a range of two, such as 300ms or 1s..5s",
		[TOPO_T_ENDPOINT] = "ADDRESS:PORT such as 127.0.0.1:1790",
		[TOPO_T_COMMUNITY] = "a community such as 65001:7 or no-export",
		[TOPO_T_LARGE] = "a large community such as 65001:1:2",
		[TOPO_T_HOP] = ("VirtualAppliance ADDRESS, VirtualNetworkGateway, VnetLocal, "
				"Internet or None"),
		[TOPO_T_RULE] = "[permit|deny] PREFIX [ge N] [le N]",
		[TOPO_T_STRUCT] = "a map",
		[TOPO_T_MAP] = "a map of names",
		[TOPO_T_LIST] = "a list",
	};

	return nouns[type];
}

unsigned
topo_line(const struct topo_subject *s, const char *pointer)
{
	char path[TOPO_POINTER_MAX];
	char *cut;
	const json_t *line;

	snprintf(path, sizeof(path), "%s", pointer);
	while (s->lines != NULL && path[0] != '\0') {
		if ((line = json_object_get(s->lines, path)) != NULL)
			return (unsigned)json_integer_value(line);
		if ((cut = strrchr(path, '/')) == NULL)
			break;
		*cut = '\0';
	}
	return s->line;
}

/* "/subnets/vms/prefix" as people write it: "subnets.vms.prefix: ". */
static void
format_pointer(char *out, size_t size, const char *pointer)
{
	size_t n = 0;

	for (const char *s = pointer; *s != '\0' && n + 4 < size; s++) {
		if (s[0] == '~' && s[1] != '\0') {
			out[n++] = *++s == '1' ? '/' : '~';
			continue;
		}
		if (*s != '/' || s != pointer)
			out[n++] = *s == '/' ? '.' : *s;
	}
	out[n] = '\0';
	if (n > 0)
		snprintf(out + n, size - n, ": ");
}

void
topo_complain(struct topo_errors *errs, const struct topo_subject *s, const char *pointer,
    const char *code, const char *fmt, ...)
{
	char path[128], text[256];
	va_list ap;

	if (errs == NULL)
		return;
	format_pointer(path, sizeof(path), pointer);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	topo_error_add(errs, topo_line(s, pointer), code, "%s%s%.64s: %s%s", s->kind,
	    s->name[0] == '\0' ? "" : " ", s->name, path, text);
}

#define complain(w, code, ...)                                                                     \
	do {                                                                                       \
		(w)->failed = true;                                                                \
		topo_complain((w)->errs, (w)->subject, (w)->path, code, __VA_ARGS__);              \
	} while (0)

/* What a value is, for "must be ..., not ...". At most 64 characters of it. */
static const char *
describe(char out[static 80], const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "a map";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		snprintf(out, 80, "\"%.64s\"", json_string_value(v));
		return out;
	case JSON_INTEGER:
		snprintf(out, 80, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return out;
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	default:
		return "nothing";
	}
}

static json_t *
refuse(struct walk *w, const struct topo_key *key, const json_t *v)
{
	char buf[80];

	complain(w, "WrongType", "must be %s, not %s", topo_type_noun(key->type), describe(buf, v));
	return NULL;
}

/* ---- scalars ---- */

static json_t *
apply_uint(struct walk *w, const struct topo_key *key, const json_t *in)
{
	json_int_t v = json_integer_value(in), max = key->max == 0 ? UINT32_MAX : key->max;

	if (!json_is_integer(in))
		return refuse(w, key, in);
	if (v >= (json_int_t)key->min && v <= max)
		return json_integer(v);
	complain(w, "InvalidValue",
	    "must be from %u to %" JSON_INTEGER_FORMAT ", not %" JSON_INTEGER_FORMAT, key->min, max,
	    v);
	return NULL;
}

static json_t *
apply_word(struct walk *w, const struct topo_key *key, const char *text)
{
	char all[160] = "";
	const char *like;
	size_t n = 0;

	for (; key->words[n] != NULL; n++) {
		if (strcmp(text, key->words[n]) == 0)
			return json_string(text);
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", n > 0 ? ", " : "",
		    key->words[n]);
	}
	if ((like = topo_suggest(text, key->words, n)) != NULL)
		complain(w, "InvalidValue", "\"%.64s\" is unknown; did you mean %s?", text, like);
	else
		complain(w, "InvalidValue", "\"%.64s\" is unknown; known are %s", text, all);
	return NULL;
}

/* Azure's codes for a bad prefix; the right spelling where there is one. */
static json_t *
refuse_prefix(struct walk *w, const struct topo_key *key, const char *text)
{
	char addr_text[IPADDR_STRLEN] = "", right[IPNET_STRLEN];
	const char *slash = strchr(text, '/');
	struct ipnet net;
	uint32_t addr;
	uint8_t len;

	if (slash != NULL && (size_t)(slash - text) < sizeof(addr_text))
		memcpy(addr_text, text, (size_t)(slash - text));
	for (len = 0; ipaddr_parse(&addr, addr_text) == FAB_OK && len <= 32; len++) {
		net = (struct ipnet){ .addr = addr & ipnet_mask(len), .len = len };
		ipnet_format(right, net);
		if (strcmp(strchr(right, '/'), slash) != 0)
			continue;
		complain(
		    w, "InvalidCIDRNotation", "%.32s has host bits set; write %s", text, right);
		return NULL;
	}
	complain(w, "InvalidAddressPrefixFormat", "\"%.64s\" is not %s%s", text,
	    topo_type_noun(key->type),
	    strchr(text, ':') != NULL ? "; a Route Server's VNet must not have IPv6 (RS-9)" : "");
	return NULL;
}

static bool
subnet_path_ok(const char *text)
{
	char vnet[TOPO_NAME_MAX + 1] = "";
	const char *slash = strchr(text, '/');

	if (slash == NULL || (size_t)(slash - text) >= sizeof(vnet))
		return false;
	memcpy(vnet, text, (size_t)(slash - text));
	return topo_name_ok(vnet) && topo_name_ok(slash + 1);
}

static bool
text_ok(const char *text)
{
	for (const char *s = text; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return strlen(text) <= TOPO_TEXT_MAX;
}

/* Whether text is a value of one of the types that are written as text. */
static bool
word_ok(enum topo_type type, const char *text)
{
	union {
		uint32_t u, triple[3];
		struct ipnet net;
		struct topo_tcp tcp;
		struct topo_prefix_rule rule;
		struct topo_range range;
	} v;
	enum topo_hop hop;

	switch (type) {
	case TOPO_T_TEXT:
		return text_ok(text);
	case TOPO_T_NAME:
		return topo_name_ok(text);
	case TOPO_T_SUBNET:
		return subnet_path_ok(text);
	case TOPO_T_ADDR:
		return ipaddr_parse(&v.u, text) == FAB_OK;
	case TOPO_T_PREFIX:
		return ipnet_parse(&v.net, text) == FAB_OK;
	case TOPO_T_DEST:
		return topo_tag_ok(text) || ipnet_parse(&v.net, text) == FAB_OK;
	case TOPO_T_TAG:
		return topo_tag_ok(text);
	case TOPO_T_NET:
		return topo_net_parse(&v.net, text) == FAB_OK;
	case TOPO_T_DURATION:
		return topo_duration_parse(&v.u, text) == FAB_OK;
	case TOPO_T_RANGE:
		return topo_range_parse(&v.range, text) == FAB_OK;
	case TOPO_T_ENDPOINT:
		return topo_endpoint_parse(&v.tcp, text) == FAB_OK;
	case TOPO_T_COMMUNITY:
		return topo_community_parse(&v.u, text) == FAB_OK;
	case TOPO_T_LARGE:
		return topo_large_parse(v.triple, text) == FAB_OK;
	case TOPO_T_HOP:
		return topo_hop_parse(&hop, &v.u, text) == FAB_OK;
	case TOPO_T_RULE:
		return topo_rule_parse(&v.rule, text) == FAB_OK;
	default:
		return false;
	}
}

static json_t *
apply_text(struct walk *w, const struct topo_key *key, const char *text)
{
	if (key->type == TOPO_T_WORD)
		return apply_word(w, key, text);
	if (word_ok(key->type, text))
		return json_string(text);
	if (key->type == TOPO_T_PREFIX || key->type == TOPO_T_DEST ||
	    (key->type == TOPO_T_NET && strchr(text, '/') != NULL))
		return refuse_prefix(w, key, text);
	if (key->type == TOPO_T_NAME)
		complain(w, "InvalidName",
		    "\"%.64s\" is not a name: letters, digits, - and _, a letter or digit first, "
		    "at most %d",
		    text, TOPO_NAME_MAX);
	else
		complain(w, "InvalidValue", "\"%.64s\" is not %s", text, topo_type_noun(key->type));
	return NULL;
}

/* A number where text is expected is its digits: a VNet may be called 1. */
static json_t *
apply_scalar(struct walk *w, const struct topo_key *key, const json_t *in)
{
	char digits[24];

	if (json_is_string(in))
		return apply_text(w, key, json_string_value(in));
	if (!json_is_integer(in))
		return refuse(w, key, in);
	snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(in));
	return apply_text(w, key, digits);
}

/* ---- collections ---- */

static json_t *
refuse_count(struct walk *w, const struct topo_key *key, size_t n)
{
	if (key->min == key->max)
		complain(w, "InvalidValue", "must have %u entries, not %zu", key->min, n);
	else
		complain(w, "InvalidValue", "must have from %u to %u entries, not %zu", key->min,
		    key->max, n);
	return NULL;
}

static json_t *
apply_list(struct walk *w, const struct topo_key *key, json_t *in)
{
	size_t n = json_array_size(in), at = strlen(w->path);
	json_t *out, *item;
	char number[24];

	if (!json_is_array(in) && (!key->one || json_is_object(in)) &&
	    !(key->one && key->sub[0].type == TOPO_T_STRUCT))
		return refuse(w, key, in);
	if (json_is_array(in) && (n < key->min || (key->max > 0 && n > key->max)))
		return refuse_count(w, key, n);
	if (!json_is_array(in))
		n = 1;
	out = json_array();
	for (size_t i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%zu", i);
		if (json_is_array(in))
			topo_pointer_push(w->path, number);
		item = apply_value(w, &key->sub[0], json_is_array(in) ? json_array_get(in, i) : in);
		w->path[at] = '\0';
		if (item != NULL)
			json_array_append_new(out, item);
	}
	return out;
}

/* One entry of a map: NULL in and a null value mean a struct with nothing given. */
static void
apply_entry(struct walk *w, const struct topo_key *key, json_t *out, const char *name, json_t *in)
{
	size_t at = strlen(w->path);
	json_t *empty = in == NULL || json_is_null(in) ? json_object() : NULL, *v;

	topo_pointer_push(w->path, name);
	if (!topo_name_ok(name)) {
		complain(w, "InvalidName",
		    "\"%.64s\" is not a name: letters, digits, - and _, a letter or digit first, "
		    "at most %d",
		    name, TOPO_NAME_MAX);
	} else if ((v = apply_struct(w, key->sub, empty != NULL ? empty : in)) != NULL) {
		json_object_set_new(out, name, v);
	}
	json_decref(empty);
	w->path[at] = '\0';
}

static json_t *
apply_map(struct walk *w, const struct topo_key *key, json_t *in)
{
	json_t *out, *item;
	const char *name;
	size_t i;

	if (!json_is_object(in) && !(key->one && json_is_array(in)))
		return refuse(w, key, in);
	if (key->max > 0 && json_object_size(in) + json_array_size(in) > key->max)
		return refuse_count(w, key, json_object_size(in) + json_array_size(in));
	out = json_object();
	if (json_is_object(in)) {
		json_object_foreach(in, name, item) apply_entry(w, key, out, name, item);
		return out;
	}
	json_array_foreach(in, i, item)
	{
		if (!json_is_string(item))
			refuse(w, key, item);
		else if (json_object_get(out, json_string_value(item)) != NULL)
			complain(
			    w, "DuplicateKey", "%.64s is there twice", json_string_value(item));
		else
			apply_entry(w, key, out, json_string_value(item), NULL);
	}
	return out;
}

static const struct topo_key *
find_key(const struct topo_key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

#define KEYS_MAX 24 /* keys of one table */

/* Returns the key that was probably meant, so that it is not reported as missing too. */
static const char *
refuse_key(struct walk *w, const struct topo_key *keys, const char *name)
{
	const char *names[KEYS_MAX], *like;
	char all[200] = "";
	size_t n = 0, at = strlen(w->path);

	for (; keys[n].name != NULL; n++) {
		FAB_ASSERT(n < KEYS_MAX);
		names[n] = keys[n].name;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", n > 0 ? ", " : "",
		    names[n]);
	}
	topo_pointer_push(w->path, name);
	w->failed = true;
	like = topo_suggest(name, names, n);
	if (like != NULL)
		topo_complain(w->errs, w->subject, w->path, "UnknownKey",
		    "unknown key; did you mean \"%s\"?", like);
	else
		topo_complain(
		    w->errs, w->subject, w->path, "UnknownKey", "unknown key; known are %s", all);
	w->path[at] = '\0';
	return like;
}

/* The default of a key that is absent; NULL: none. */
static json_t *
default_of(struct walk *w, const struct topo_key *key, const char *meant)
{
	if (key->def != NULL)
		return json_loads(key->def, JSON_DECODE_ANY, NULL);
	if (key->required && (meant == NULL || strcmp(meant, key->name) != 0))
		complain(w, "MissingKey", "%s is missing; it is %s", key->name,
		    topo_type_noun(key->type));
	return NULL;
}

/* Keys leave in the order of the table. */
static json_t *
apply_keys(struct walk *w, const struct topo_key *keys, json_t *in)
{
	json_t *out = json_object(), *v, *given;
	const char *name, *meant = NULL;
	size_t at = strlen(w->path);

	json_object_foreach(in, name, v) if (find_key(keys, name) == NULL) meant =
	    refuse_key(w, keys, name);
	for (; keys->name != NULL; keys++) {
		given = json_object_get(in, keys->name);
		if (given == NULL || json_is_null(given)) {
			v = default_of(w, keys, meant);
		} else {
			topo_pointer_push(w->path, keys->name);
			v = apply_value(w, keys, given);
			w->path[at] = '\0';
		}
		if (v != NULL)
			json_object_set_new(out, keys->name, v);
	}
	return out;
}

static json_t *
apply_struct(struct walk *w, const struct topo_key *keys, json_t *in)
{
	const struct topo_key *brief = keys;
	json_t *wrapped, *out;

	if (json_is_object(in))
		return apply_keys(w, keys, in);
	while (brief->name != NULL && !brief->brief)
		brief++;
	if (brief->name == NULL || json_is_array(in))
		return refuse(w, &(struct topo_key){ .type = TOPO_T_STRUCT }, in);
	wrapped = json_pack("{s:O}", brief->name, in);
	out = apply_keys(w, keys, wrapped);
	json_decref(wrapped);
	return out;
}

static json_t *
apply_value(struct walk *w, const struct topo_key *key, json_t *in)
{
	switch (key->type) {
	case TOPO_T_BOOL:
		return json_is_boolean(in) ? json_boolean(json_is_true(in)) : refuse(w, key, in);
	case TOPO_T_UINT:
		return apply_uint(w, key, in);
	case TOPO_T_STRUCT:
		return apply_struct(w, key->sub, in);
	case TOPO_T_MAP:
		return apply_map(w, key, in);
	case TOPO_T_LIST:
		return apply_list(w, key, in);
	default:
		return apply_scalar(w, key, in);
	}
}

json_t *
topo_schema_apply(const struct topo_key *keys, json_t *props, const struct topo_subject *s,
    struct topo_errors *errs)
{
	struct walk w = { .subject = s, .errs = errs };
	json_t *out;

	out = json_is_null(props) ? apply_keys(&w, keys, NULL) : apply_struct(&w, keys, props);
	if (!w.failed)
		return out;
	json_decref(out);
	return NULL;
}
