/*
 * json_value.h - reads values of JSON (RFC 8259), MessagePack and CBOR (RFC 8949) where they lie:
 * what the dissectors of this folder need to find a type, an id and a name. It builds no tree and
 * keeps nothing; Wireshark's own dissectors draw the whole.
 *
 * Why not json_parse of wsutil, which all versions export: its cost is quadratic in the number of
 * values (2.7 s for 160,000 of them), and it takes [1,] and [1 2] for JSON.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_APPS_JSON_VALUE_H
#define WSX_APPS_JSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wireshark.h>
#include <epan/wmem_scopes.h>

/* Values inside values; deeper ones are not read. Real protocols stay below 30. */
#define WSX_VALUE_DEPTH_MAX 200

enum wsx_notation { WSX_JSON, WSX_MSGPACK, WSX_CBOR };

enum wsx_type {
    WSX_ABSENT, /* there is no such value */
    WSX_NULL,
    WSX_BOOLEAN,
    WSX_NUMBER,
    WSX_STRING,
    WSX_BYTES,
    WSX_ARRAY,
    WSX_OBJECT,
};

/* One value; points into the caller's bytes. */
struct wsx_value {
    enum wsx_type type;
    enum wsx_notation notation;
    const uint8_t *bytes; /* the document that it stands in */
    size_t begin, end;    /* the whole value in it, with quotes and brackets */
    size_t inner;         /* its characters, or its first element */
    uint64_t count;       /* MessagePack, CBOR: elements or pairs; UINT64_MAX: up to a break */
};

/* Reads the one value at the beginning of the bytes. True: *value is it, and the bytes of
 * value->begin to value->end are valid. False: *bad is where they stop to be. */
bool wsx_value_begin(enum wsx_notation notation, const uint8_t *bytes, size_t length,
                     struct wsx_value *value, size_t *bad);
/* The same for a document: nothing but blanks (JSON) may stand behind the value. */
bool wsx_value_read(enum wsx_notation notation, const uint8_t *bytes, size_t length,
                    struct wsx_value *value, size_t *bad);

/* A walk over an array or an object that was read; over anything else it ends at once. */
struct wsx_walk {
    const struct wsx_value *container;
    size_t at;
    uint64_t left;
};
void wsx_walk_begin(struct wsx_walk *walk, const struct wsx_value *container);
/* The next element; key is ABSENT in an array. False at the end. key may be NULL. */
bool wsx_walk_next(struct wsx_walk *walk, struct wsx_value *key, struct wsx_value *value);

/* The first elements of an array: at most `max`, the rest of values[] is ABSENT. Returns how many
 * were filled. */
unsigned wsx_value_elements(const struct wsx_value *array, struct wsx_value values[], unsigned max);
/* The members with these names, in one walk; ABSENT where there is none. Of two members with one
 * name the last counts, as in most programs. */
void wsx_value_members(const struct wsx_value *object, const char *const names[],
                       struct wsx_value values[], unsigned count);
/* One member. */
struct wsx_value wsx_value_member(const struct wsx_value *object, const char *name);

/* True for a string of just this text. */
bool wsx_value_is(const struct wsx_value *value, const char *text);
/* A number without fraction and sign. */
bool wsx_value_unsigned(const struct wsx_value *value, uint64_t *number);
/* For people: a string's characters, a number as it stands, true, false, null, or the beginning of
 * what it is in its notation. Valid UTF-8 of at most `max` bytes, an ellipsis where it was cut.
 * NULL for ABSENT. */
const char *wsx_value_text(wmem_allocator_t *pool, const struct wsx_value *value, size_t max);
/* The longest text for a line of the packet list. */
#define WSX_VALUE_LINE 200

/* Whether the bytes are at most so many values, one in another at most WSX_VALUE_DEPTH_MAX deep:
 * heads, tags and chunks, in one walk. Bytes that are no values count one each. MessagePack and
 * CBOR only. */
bool wsx_binary_fits(enum wsx_notation notation, const uint8_t *bytes, size_t length,
                     size_t values);

/* ---- for json_value.c and json_binary.c ---- */

/* The value at `at`, and where it ends; false and *bad where it is not valid. */
bool wsx_binary_value(enum wsx_notation notation, const uint8_t *bytes, size_t length, size_t at,
                      unsigned depth, struct wsx_value *value, size_t *bad);
/* The break of CBOR that ends an array of unknown length. */
bool wsx_binary_at_break(const uint8_t *bytes, size_t length, size_t at);
/* The number; *negative when it is -1 - number. False for a floating-point number: *real is it. */
bool wsx_binary_number(const struct wsx_value *value, uint64_t *number, bool *negative,
                       double *real);
/* Appends a string's bytes, at most `max`. */
void wsx_binary_string(const struct wsx_value *value, wmem_strbuf_t *text, size_t max);

#endif
