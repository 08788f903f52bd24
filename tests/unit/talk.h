/*
 * talk.h - for the tests of a connection: a conversation written as steps, played through the core
 * whole, byte by byte and with every step cut in two at every place, and the log of what was
 * reported. All plays must give the same log. Every piece ends at a guard page.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TESTS_TALK_H
#define WSX_TESTS_TALK_H

#include "guard.h"

#include "../../plugin/core/connection.h"

#include <glib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- a conversation ---- */

/* A step names what it needs; the rest is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum act {
    END,
    CLIENT,     /* a frame: first byte, payload; masked with a key that no other step has */
    SERVER,     /* a frame, not masked */
    CLIENT_KEY, /* a frame masked with the four bytes of `key` */
    SERVER_KEY, /* the same, of the server */
    CLIENT_RAW, /* bytes as they are */
    SERVER_RAW,
    CLIENT_LOST, /* `size` bytes that the capture lacks */
    SERVER_LOST,
    CLIENT_FIN, /* the direction ended, as TCP said */
    SERVER_FIN,
    CLIENT_EOF, /* only the capture ended */
    SERVER_EOF,
    JUDGE, /* both ended: what only the end proves */
};

struct step {
    enum act act;
    unsigned first;   /* FIN, RSV, opcode */
    const char *text; /* payload or bytes */
    size_t size;      /* of text; 0: up to its NUL */
    const char *key;
};

#define FIN_TEXT 0x81
#define FIN_BINARY 0x82
#define BEGIN_TEXT 0x01
#define BEGIN_BINARY 0x02
#define GO_ON 0x00
#define LAST 0x80
#define CLOSE 0x88
#define PING 0x89
#define PONG 0x8a
#define RSV1 0x40
#define NORMAL "\x03\xe8"
#define ENDED                                                                                      \
    {CLIENT_FIN}, {SERVER_FIN}, { JUDGE }
#define EOFS                                                                                       \
    {CLIENT_EOF}, { SERVER_EOF } /* nothing is judged */

enum setup {
    PLAIN = 0,
    DEFLATE = 1,       /* permessage-deflate */
    NO_TAKEOVER = 2,   /* and no context takeover, either way */
    UNKNOWN = 4,       /* an extension that nobody knows */
    MIDSTREAM = 8,     /* no handshake was captured; frames begin with the first byte */
    WINDOW_8 = 16,     /* windows of 256 bytes */
    SMALL_LIMITS = 32, /* 8 bytes of a frame, 12 of a message, 20 inflated */
    WHOLE_ONLY = 64,   /* the evidence of where segments begin is a part of the case */
};

/* ---- what was reported ---- */

struct talk {
    struct wsx_connection *connection;
    GString *log;
    GString *rules; /* of the item that comes next */
    bool heard[WSX_RULE_COUNT];
    uint32_t packets[WSX_RULE_COUNT]; /* the other packet that the last finding named */
    uint64_t offset[2];
    bool lost[2];
    uint32_t packet;
};

static inline void talk_flush_rules(struct talk *talk) {
    g_string_append_printf(talk->log, "%s\n", talk->rules->str);
    g_string_truncate(talk->rules, 0);
}

static inline void talk_bytes(GString *log, const uint8_t *bytes, size_t length) {
    g_string_append(log, " '");
    for (size_t i = 0; i < length; i++)
        if (bytes[i] >= 0x20 && bytes[i] < 0x7F)
            g_string_append_c(log, (char)bytes[i]);
        else
            g_string_append_printf(log, "\\%02x", bytes[i]);
    g_string_append_c(log, '\'');
}

static inline void talk_message(GString *log, const struct wsx_message *message) {
    g_string_append_printf(log, " message %u %s", message->index,
                           message->text ? "text" : "binary");
    if (message->frames > 1)
        g_string_append_printf(log, " of %u", message->frames);
    if (message->compressed)
        g_string_append(log, message->raw ? " raw" : " inflated");
    if (message->incomplete)
        g_string_append(log, " incomplete");
    if (message->length_known)
        g_string_append_printf(log, " %" G_GUINT64_FORMAT, message->length);
    talk_bytes(log, message->bytes, message->have);
    if (message->text && !message->utf8)
        g_string_append(log, " (no text)");
}

static inline void talk_on_frame(void *context, const struct wsx_frame_event *event) {
    static const char *const kinds[] = {
        [WSX_ITEM_FRAGMENT] = "fragment", [WSX_ITEM_MESSAGE] = "",  [WSX_ITEM_STRAY] = "stray",
        [WSX_ITEM_PING] = "ping",         [WSX_ITEM_PONG] = "pong", [WSX_ITEM_CLOSE] = "close"};
    struct talk *talk = context;
    g_string_append_printf(talk->log, "%s %u %s", event->direction ? "s" : "c", event->index,
                           kinds[event->kind]);
    g_assert_true((event->message != NULL) == (event->kind == WSX_ITEM_MESSAGE));
    if (event->message)
        talk_message(talk->log, event->message);
    else
        talk_bytes(talk->log, event->payload, event->frame->have);
    if (event->frame->missing)
        g_string_append_printf(talk->log, " missing %" G_GUINT64_FORMAT, event->frame->missing);
    if (event->frame->over_limit)
        g_string_append(talk->log, " over-limit");
    if (event->frame->unfinished)
        g_string_append(talk->log, " unfinished");
    if (event->answers_mark)
        g_string_append_printf(talk->log, " answers %u", GPOINTER_TO_UINT(event->answers_mark));
    if (event->mark)
        *event->mark = GUINT_TO_POINTER(event->index);
    if (event->kind == WSX_ITEM_CLOSE && event->first_close)
        g_string_append(talk->log, " first");
    talk_flush_rules(talk);
}

static inline void talk_on_broken(void *context, const struct wsx_message *message) {
    struct talk *talk = context;
    g_string_append_printf(talk->log, "%s broken", message->direction ? "s" : "c");
    talk_message(talk->log, message);
    talk_flush_rules(talk);
}

static inline void talk_on_note(void *context, const struct wsx_note *note) {
    struct talk *talk = context;
    g_string_append_printf(talk->log, "%s note %" G_GUINT64_FORMAT, note->direction ? "s" : "c",
                           note->missing);
    talk_flush_rules(talk);
}

static inline void talk_on_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                                   uint32_t packet, const char *detail) {
    struct talk *talk = context;
    g_assert_true(g_utf8_validate(detail, -1, NULL));
    g_assert_cmpint(severity, <=, wsx_rule_info(rule)->severity);
    g_string_append_printf(talk->rules, " !%s%s", wsx_rule_info(rule)->id,
                           severity < wsx_rule_info(rule)->severity ? "(mild)" : "");
    talk->heard[rule] = true;
    talk->packets[rule] = packet;
}

static const struct wsx_connection_events talk_events = {talk_on_frame, talk_on_broken,
                                                         talk_on_note, talk_on_finding};

/* ---- playing ---- */

static inline void talk_open(struct talk *talk, unsigned setup) {
    struct wsx_limits limits = {.frame = 1 << 20,
                                .message = 1 << 20,
                                .inflate = {.output = 1 << 20, .hard_output = 1 << 22}};
    struct wsx_agreement agreement;
    if (setup & SMALL_LIMITS)
        limits = (struct wsx_limits){
            .frame = 8, .message = 12, .inflate = {.output = 20, .hard_output = 1 << 20}};
    wsx_agreement_init(&agreement);
    agreement.known = !(setup & MIDSTREAM);
    agreement.deflate = (setup & DEFLATE) != 0;
    agreement.unknown_extension = (setup & UNKNOWN) != 0;
    agreement.client_takeover = agreement.server_takeover = !(setup & NO_TAKEOVER);
    if (setup & WINDOW_8)
        agreement.client_bits = agreement.server_bits = 8;
    memset(talk, 0, sizeof *talk);
    talk->log = g_string_new(NULL);
    talk->rules = g_string_new(NULL);
    talk->connection =
        wsx_connection_new(&talk_events, &limits, &agreement, (setup & MIDSTREAM) != 0);
}

static inline void talk_clear(struct talk *talk) {
    wsx_connection_free(talk->connection);
    g_string_free(talk->log, TRUE);
    g_string_free(talk->rules, TRUE);
}

static inline void talk_push(struct talk *talk, enum wsx_direction direction, const uint8_t *bytes,
                             size_t length) {
    uint8_t *piece = guard_copy(bytes, length);
    wsx_connection_push(talk->connection, direction, talk->offset[direction], piece, length, length,
                        talk->packet, talk->packet, talk->packet * G_GINT64_CONSTANT(1000), talk);
    guard_free(piece, length);
    talk->offset[direction] += length;
    if (talk->lost[direction])
        wsx_connection_give_up(talk->connection, direction, talk->offset[direction], talk->packet,
                               talk->packet * G_GINT64_CONSTANT(1000), talk);
    talk->lost[direction] = false;
}

/* Bytes of a step; the caller frees. */
static inline GByteArray *step_bytes(const struct step *step, unsigned number) {
    GByteArray *out = g_byte_array_new();
    size_t length = step->size || !step->text ? step->size : strlen(step->text);
    if (step->act == CLIENT_RAW || step->act == SERVER_RAW) {
        g_byte_array_append(out, (const guint8 *)step->text, (guint)length);
        return out;
    }
    struct wsx_frame_header header = {.payload_length = length,
                                      .first = (uint8_t)step->first,
                                      .length_form = length > 65535 ? 8
                                                     : length > 125 ? 2
                                                                    : 0,
                                      .masked = step->act != SERVER,
                                      .key = {0x37, 0xfa, 0x21, (uint8_t)number}};
    uint8_t head[WSX_HEADER_MAX];
    if (step->key)
        memcpy(header.key, step->key, 4);
    g_byte_array_append(out, head, wsx_frame_header_write(&header, head));
    guint at = out->len;
    g_byte_array_append(out, (const guint8 *)step->text, (guint)length);
    if (header.masked)
        wsx_unmask(out->data + at, out->data + at, length, header.key, 0);
    return out;
}

/* cut 0: whole; 1: byte by byte; else in two behind cut - 1 bytes. Returns the longest step. */
static inline size_t talk_step(struct talk *talk, const struct step *step, size_t cut) {
    bool client = step->act == CLIENT || step->act == CLIENT_KEY || step->act == CLIENT_RAW ||
                  step->act == CLIENT_LOST || step->act == CLIENT_FIN || step->act == CLIENT_EOF;
    enum wsx_direction direction = client ? WSX_CLIENT_TO_SERVER : WSX_SERVER_TO_CLIENT;
    if (step->act == JUDGE) {
        wsx_connection_judge_end(talk->connection, talk->packet, talk);
        if (talk->rules->len)
            g_string_append_printf(talk->log, "end%s\n", talk->rules->str);
        g_string_truncate(talk->rules, 0);
        return 0;
    }
    if (step->act == CLIENT_LOST || step->act == SERVER_LOST) {
        talk->offset[direction] += step->size;
        talk->lost[direction] = true;
        return 0;
    }
    if (step->act >= CLIENT_FIN) {
        bool proved = step->act == CLIENT_FIN || step->act == SERVER_FIN;
        wsx_connection_finish(talk->connection, direction, proved ? talk->offset[direction] : 0,
                              proved, talk->packet, talk->packet * G_GINT64_CONSTANT(1000), talk);
        return 0;
    }
    GByteArray *bytes = step_bytes(step, talk->packet);
    size_t length = bytes->len, first = cut == 0 ? length : cut - 1;
    if (cut == 1)
        for (size_t i = 0; i < length; i++)
            talk_push(talk, direction, bytes->data + i, 1);
    else if (first >= length)
        talk_push(talk, direction, bytes->data, length);
    else {
        talk_push(talk, direction, bytes->data, first);
        talk_push(talk, direction, bytes->data + first, length - first);
    }
    g_byte_array_free(bytes, TRUE);
    return length;
}

static inline size_t talk_play(struct talk *talk, const struct step *steps, unsigned setup,
                               size_t cut) {
    size_t longest = 0;
    talk_open(talk, setup);
    for (; steps->act != END; steps++) {
        talk->packet++;
        size_t length = talk_step(talk, steps, cut);
        longest = MAX(longest, length);
    }
    g_assert_cmpuint(talk->rules->len, ==, 0); /* no finding without its item */
    return longest;
}

/* Plays in every way; all must give the log of the first one. That one is left in *talk. */
static inline void talk_all(struct talk *talk, const struct step *steps, unsigned setup,
                            const char *name) {
    size_t longest = talk_play(talk, steps, setup, 0);
    for (size_t cut = 1; cut <= longest && !(setup & WHOLE_ONLY); cut++) {
        struct talk again;
        talk_play(&again, steps, setup, cut);
        if (strcmp(again.log->str, talk->log->str) != 0)
            g_error("%s, cut %zu:\n%sis not\n%s", name, cut, again.log->str, talk->log->str);
        talk_clear(&again);
    }
}

/* ---- assertions ---- */

static inline void assert_log(const char *name, const struct step *steps, unsigned setup,
                              const char *expected) {
    struct talk talk;
    talk_all(&talk, steps, setup, name);
    if (strcmp(talk.log->str, expected) != 0)
        g_error("%s: expected\n%sgot\n%s", name, expected, talk.log->str);
    talk_clear(&talk);
}

/* The rule is reported, or not; alone: and of errors and warnings nothing beside it. */
static inline void assert_rule(enum wsx_rule rule, bool fires, bool alone, const struct step *steps,
                               unsigned setup) {
    struct talk talk;
    const char *id = wsx_rule_info(rule)->id;
    talk_all(&talk, steps, setup, id);
    if (talk.heard[rule] != fires)
        g_error("%s is%s reported:\n%s", id, fires ? " not" : "", talk.log->str);
    for (int i = 0; alone && i < WSX_RULE_COUNT; i++)
        if (talk.heard[i] && i != (int)rule &&
            wsx_rule_info((enum wsx_rule)i)->severity >= WSX_WARNING)
            g_error("%s, beside %s:\n%s", wsx_rule_info((enum wsx_rule)i)->id, id, talk.log->str);
    talk_clear(&talk);
}

#define STEPS(...) ((const struct step[]){__VA_ARGS__, {END}})
#define LOG(name, setup, expected, ...) assert_log(name, STEPS(__VA_ARGS__), setup, expected)
#define FIRES(rule, setup, ...) assert_rule(rule, true, true, STEPS(__VA_ARGS__), setup)
#define SILENT(rule, setup, ...) assert_rule(rule, false, true, STEPS(__VA_ARGS__), setup)
/* The same where another fault is a part of the case. */
#define FIRES_AMONG(rule, setup, ...) assert_rule(rule, true, false, STEPS(__VA_ARGS__), setup)
#define SILENT_AMONG(rule, setup, ...) assert_rule(rule, false, false, STEPS(__VA_ARGS__), setup)

#endif
