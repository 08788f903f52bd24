/*
 * json_value.c - values of JSON where they lie, and what is common to the three notations; see
 * json_value.h. MessagePack and CBOR: json_binary.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json_value.h"

#include <string.h>

#include <epan/charsets.h>

/* A JSON text while it is read. */
struct text {
    const uint8_t *bytes;
    size_t length;
    size_t bad; /* where it stops to be JSON */
};

static size_t skip_blanks(const uint8_t *bytes, size_t length, size_t at) {
    while (at < length &&
           (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\n' || bytes[at] == '\r'))
        at++;
    return at;
}

/* All of these return the place behind what they read, or 0 with text->bad set. */

static size_t wrong(struct text *text, size_t at) {
    text->bad = at;
    return 0;
}

static size_t read_escape(struct text *text, size_t at) {
    if (at >= text->length)
        return wrong(text, at);
    if (text->bytes[at] == 'u') {
        for (size_t i = 1; i <= 4; i++)
            if (at + i >= text->length || !g_ascii_isxdigit(text->bytes[at + i]))
                return wrong(text, at + i);
        return at + 5;
    }
    return text->bytes[at] && strchr("\"\\/bfnrt", text->bytes[at]) ? at + 1 : wrong(text, at);
}

static size_t read_string(struct text *text, size_t at) {
    for (at++; at < text->length;) {
        uint8_t byte = text->bytes[at];
        if (byte == '"')
            return at + 1;
        if (byte < 0x20)
            return wrong(text, at);
        at = byte == '\\' ? read_escape(text, at + 1) : at + 1;
        if (!at)
            return 0;
    }
    return wrong(text, at);
}

static size_t read_digits(struct text *text, size_t at) {
    size_t begin = at;
    while (at < text->length && g_ascii_isdigit(text->bytes[at]))
        at++;
    return at > begin ? at : wrong(text, at);
}

static size_t read_number(struct text *text, size_t at) {
    if (text->bytes[at] == '-')
        at++;
    if (at < text->length && text->bytes[at] == '0')
        at++;
    else if (!(at = read_digits(text, at)))
        return 0;
    if (at < text->length && text->bytes[at] == '.' && !(at = read_digits(text, at + 1)))
        return 0;
    if (at < text->length && (text->bytes[at] | 0x20) == 'e') {
        at++;
        if (at < text->length && (text->bytes[at] == '+' || text->bytes[at] == '-'))
            at++;
        at = read_digits(text, at);
    }
    return at;
}

static size_t read_word(struct text *text, size_t at, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i < length; i++)
        if (at + i >= text->length || text->bytes[at + i] != (uint8_t)word[i])
            return wrong(text, at + i);
    return at + length;
}

static size_t read_value(struct text *text, size_t at, unsigned depth);

/* An array or an object. */
static size_t read_container(struct text *text, size_t at, unsigned depth) {
    bool object = text->bytes[at] == '{';
    uint8_t close = object ? '}' : ']';
    if (depth >= WSX_VALUE_DEPTH_MAX)
        return wrong(text, at);
    at = skip_blanks(text->bytes, text->length, at + 1);
    if (at < text->length && text->bytes[at] == close)
        return at + 1;
    for (;;) {
        if (object) {
            if (at >= text->length || text->bytes[at] != '"')
                return wrong(text, at);
            if (!(at = read_string(text, at)))
                return 0;
            at = skip_blanks(text->bytes, text->length, at);
            if (at >= text->length || text->bytes[at] != ':')
                return wrong(text, at);
            at = skip_blanks(text->bytes, text->length, at + 1);
        }
        if (!(at = read_value(text, at, depth + 1)))
            return 0;
        at = skip_blanks(text->bytes, text->length, at);
        if (at < text->length && text->bytes[at] == close)
            return at + 1;
        if (at >= text->length || text->bytes[at] != ',')
            return wrong(text, at);
        at = skip_blanks(text->bytes, text->length, at + 1);
    }
}

static enum wsx_type type_of(uint8_t first) {
    switch (first) {
    case '{':
        return WSX_OBJECT;
    case '[':
        return WSX_ARRAY;
    case '"':
        return WSX_STRING;
    case 't':
    case 'f':
        return WSX_BOOLEAN;
    case 'n':
        return WSX_NULL;
    default:
        return first == '-' || g_ascii_isdigit(first) ? WSX_NUMBER : WSX_ABSENT;
    }
}

static size_t read_value(struct text *text, size_t at, unsigned depth) {
    if (at >= text->length)
        return wrong(text, at);
    switch (type_of(text->bytes[at])) {
    case WSX_OBJECT:
    case WSX_ARRAY:
        return read_container(text, at, depth);
    case WSX_STRING:
        return read_string(text, at);
    case WSX_BOOLEAN:
        return read_word(text, at, text->bytes[at] == 't' ? "true" : "false");
    case WSX_NULL:
        return read_word(text, at, "null");
    case WSX_NUMBER:
        return read_number(text, at);
    default:
        return wrong(text, at);
    }
}

/* The value at `at`, whatever its notation. */
static bool value_at(enum wsx_notation notation, const uint8_t *bytes, size_t length, size_t at,
                     struct wsx_value *value, size_t *bad) {
    memset(value, 0, sizeof *value);
    value->notation = notation;
    value->bytes = bytes;
    if (notation != WSX_JSON)
        return wsx_binary_value(notation, bytes, length, at, 0, value, bad);
    struct text text = {bytes, length, 0};
    at = skip_blanks(bytes, length, at);
    size_t end = read_value(&text, at, 0);
    if (!end) {
        *bad = text.bad;
        return false;
    }
    value->type = type_of(bytes[at]);
    value->begin = at;
    value->end = end;
    value->inner = at + 1;
    return true;
}

bool wsx_value_begin(enum wsx_notation notation, const uint8_t *bytes, size_t length,
                     struct wsx_value *value, size_t *bad) {
    if (value_at(notation, bytes, length, 0, value, bad))
        return true;
    value->type = WSX_ABSENT;
    return false;
}

bool wsx_value_read(enum wsx_notation notation, const uint8_t *bytes, size_t length,
                    struct wsx_value *value, size_t *bad) {
    if (!wsx_value_begin(notation, bytes, length, value, bad))
        return false;
    *bad = notation == WSX_JSON ? skip_blanks(bytes, length, value->end) : value->end;
    if (*bad == length)
        return true;
    value->type = WSX_ABSENT;
    return false;
}

/* ---- elements ---- */

void wsx_walk_begin(struct wsx_walk *walk, const struct wsx_value *container) {
    bool is_one = container->type == WSX_ARRAY || container->type == WSX_OBJECT;
    walk->container = container;
    walk->at = container->inner;
    walk->left = is_one ? (container->notation == WSX_JSON ? UINT64_MAX : container->count) : 0;
}

/* JSON: at the next element, past the comma or colon before it. */
static bool json_step(struct wsx_walk *walk) {
    const struct wsx_value *container = walk->container;
    size_t end = container->end - 1; /* the closing bracket */
    walk->at = skip_blanks(container->bytes, end, walk->at);
    if (walk->at < end && (container->bytes[walk->at] == ',' || container->bytes[walk->at] == ':'))
        walk->at = skip_blanks(container->bytes, end, walk->at + 1);
    return walk->at < end;
}

static bool take(struct wsx_walk *walk, struct wsx_value *value) {
    const struct wsx_value *container = walk->container;
    size_t bad;
    if (container->notation == WSX_JSON && !json_step(walk))
        return false;
    if (!value_at(container->notation, container->bytes, container->end, walk->at, value, &bad))
        return false;
    walk->at = value->end;
    return true;
}

bool wsx_walk_next(struct wsx_walk *walk, struct wsx_value *key, struct wsx_value *value) {
    const struct wsx_value *container = walk->container;
    struct wsx_value name = {0};
    bool found = walk->left > 0;
    if (found && container->notation == WSX_CBOR && walk->left == UINT64_MAX)
        found = !wsx_binary_at_break(container->bytes, container->end, walk->at);
    if (found && container->type == WSX_OBJECT)
        found = take(walk, &name);
    found = found && take(walk, value);
    if (walk->left != UINT64_MAX)
        walk->left = found ? walk->left - 1 : 0;
    if (!found)
        memset(value, 0, sizeof *value);
    if (key)
        *key = name;
    return found;
}

unsigned wsx_value_elements(const struct wsx_value *array, struct wsx_value values[],
                            unsigned max) {
    struct wsx_walk walk;
    unsigned count = 0;
    memset(values, 0, max * sizeof *values);
    wsx_walk_begin(&walk, array);
    while (array->type == WSX_ARRAY && count < max && wsx_walk_next(&walk, NULL, &values[count]))
        count++;
    return count;
}

void wsx_value_members(const struct wsx_value *object, const char *const names[],
                       struct wsx_value values[], unsigned count) {
    struct wsx_walk walk;
    struct wsx_value key, value;
    memset(values, 0, count * sizeof *values);
    if (object->type != WSX_OBJECT)
        return;
    wsx_walk_begin(&walk, object);
    while (wsx_walk_next(&walk, &key, &value))
        for (unsigned i = 0; i < count; i++)
            if (wsx_value_is(&key, names[i]))
                values[i] = value;
}

struct wsx_value wsx_value_member(const struct wsx_value *object, const char *name) {
    struct wsx_value value;
    wsx_value_members(object, &name, &value, 1);
    return value;
}

/* ---- what they hold ---- */

static unsigned hex4(const uint8_t *digits) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (unsigned)g_ascii_xdigit_value((char)digits[i]);
    return value;
}

/* The character of an escape at `at` (behind the backslash); *length: bytes of the escape. Half of
 * a surrogate pair is U+FFFD, U+0000 the symbol U+2400: a string of C ends there. */
static gunichar escaped(const uint8_t *at, const uint8_t *end, size_t *length) {
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    *length = 1;
    if (*at != 'u') {
        const char *letter = strchr(letters, *at);
        return letter ? (gunichar)meanings[letter - letters] : *at;
    }
    *length = 5;
    unsigned unit = hex4(at + 1);
    if (unit >= 0xd800 && unit < 0xdc00 && end - at >= 11 && at[5] == '\\' && at[6] == 'u') {
        unsigned low = hex4(at + 7);
        if (low >= 0xdc00 && low < 0xe000) {
            *length = 11;
            return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return unit == 0 ? 0x2400 : unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit;
}

/* Appends the characters of a JSON string until `max` bytes are there. */
static void json_string(const struct wsx_value *value, wmem_strbuf_t *text, size_t max) {
    const uint8_t *at = value->bytes + value->inner, *end = value->bytes + value->end - 1;
    while (at < end && wmem_strbuf_get_len(text) <= max) {
        size_t run = 0, room = max + 1 - wmem_strbuf_get_len(text);
        while (at + run < end && run < room && at[run] != '\\')
            run++;
        wmem_strbuf_append_len(text, (const char *)at, run);
        at += run;
        if (at < end && *at == '\\') {
            size_t length;
            wmem_strbuf_append_unichar(text, escaped(at + 1, end, &length));
            at += 1 + length;
        }
    }
}

static void append_string(const struct wsx_value *value, wmem_strbuf_t *text, size_t max) {
    if (value->notation == WSX_JSON)
        json_string(value, text, max);
    else
        wsx_binary_string(value, text, max);
}

bool wsx_value_is(const struct wsx_value *value, const char *wanted) {
    size_t length = strlen(wanted), plain = value->end - value->begin;
    if (value->type != WSX_STRING || plain < length)
        return false;
    if (value->notation == WSX_JSON && plain == length + 2)
        return memcmp(value->bytes + value->inner, wanted, length) == 0;
    if (value->notation == WSX_JSON &&
        !memchr(value->bytes + value->inner, '\\', value->end - 1 - value->inner))
        return false;
    wmem_strbuf_t *text = wmem_strbuf_new(NULL, NULL);
    append_string(value, text, length + 4);
    bool same = wmem_strbuf_get_len(text) == length &&
                memcmp(wmem_strbuf_get_str(text), wanted, length) == 0;
    wmem_strbuf_destroy(text);
    return same;
}

bool wsx_value_unsigned(const struct wsx_value *value, uint64_t *number) {
    bool negative = false;
    double real;
    if (value->type != WSX_NUMBER)
        return false;
    if (value->notation != WSX_JSON)
        return wsx_binary_number(value, number, &negative, &real) && !negative;
    *number = 0;
    for (size_t i = value->begin; i < value->end; i++) {
        uint8_t byte = value->bytes[i];
        if (!g_ascii_isdigit(byte) || *number > (UINT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (byte - '0');
    }
    return true;
}

/* A whole value in its notation: JSON as it stands, the others in words. */
static void append_other(const struct wsx_value *value, wmem_strbuf_t *text, size_t max) {
    static const char *const names[] = {"", "null", "", "", "", "bytes", "array", "object"};
    size_t length = value->end - value->begin;
    uint64_t number = 0;
    bool negative = false;
    double real = 0;
    if (value->notation == WSX_JSON)
        wmem_strbuf_append_len(text, (const char *)value->bytes + value->begin,
                               MIN(length, max + 1));
    else if (value->type == WSX_BOOLEAN)
        wmem_strbuf_append(text, value->bytes[value->begin] & 1 ? "true" : "false");
    else if (value->type != WSX_NUMBER)
        wmem_strbuf_append(text, names[value->type]);
    else if (!wsx_binary_number(value, &number, &negative, &real))
        wmem_strbuf_append_printf(text, "%.17g", real);
    else if (negative && number == UINT64_MAX)
        wmem_strbuf_append(text, "-18446744073709551616");
    else
        wmem_strbuf_append_printf(text, "%s%" PRIu64, negative ? "-" : "",
                                  negative ? number + 1 : number);
}

const char *wsx_value_text(wmem_allocator_t *pool, const struct wsx_value *value, size_t max) {
    if (value->type == WSX_ABSENT)
        return NULL;
    wmem_strbuf_t *text = wmem_strbuf_new(pool, NULL);
    if (value->type == WSX_STRING)
        append_string(value, text, max);
    else
        append_other(value, text, max);
    size_t length = wmem_strbuf_get_len(text);
    const char *bytes = wmem_strbuf_get_str(text);
    bool cut = length > max;
    if (cut)
        for (length = max; length && ((uint8_t)bytes[length] & 0xc0) == 0x80;)
            length--;
    const char *valid = (const char *)get_utf_8_string(pool, (const uint8_t *)bytes, (int)length);
    return cut ? wmem_strdup_printf(pool, "%s\xe2\x80\xa6", valid) : valid;
}
