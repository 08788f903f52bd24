/*
 * heads.h - for the tests of the handshake: a sink that keeps what was reported and compares it
 * with the expected rules, and good heads to build cases from. Include guard.h first.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TESTS_HEADS_H
#define WSX_TESTS_HEADS_H

#include "guard.h"

#include "../../plugin/core/handshake.h"

#include <glib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- what was reported ---- */

struct heard {
    bool rules[WSX_RULE_COUNT];
    char *details[WSX_RULE_COUNT];
    uint32_t packets[WSX_RULE_COUNT];
};

static bool fired[WSX_RULE_COUNT]; /* in any table of this program */

static inline void hear(void *context, enum wsx_rule rule, enum wsx_severity severity,
                        uint32_t packet, const char *detail) {
    struct heard *heard = context;
    g_assert_false(heard->rules[rule]); /* once each call */
    g_assert_cmpint(severity, ==, wsx_rule_info(rule)->severity);
    g_assert_true(g_utf8_validate(detail, -1, NULL));
    heard->rules[rule] = true;
    heard->details[rule] = g_strdup(detail);
    heard->packets[rule] = packet;
}

static void heard_clear(struct heard *heard) {
    for (int i = 0; i < WSX_RULE_COUNT; i++)
        g_free(heard->details[i]);
    memset(heard, 0, sizeof *heard);
}

/* The ids in the order of rules.def, with one blank between. */
static inline char *heard_ids(const struct heard *heard) {
    GString *ids = g_string_new(NULL);
    for (int i = 0; i < WSX_RULE_COUNT; i++)
        if (heard->rules[i])
            g_string_append_printf(ids, "%s%s", ids->len ? " " : "",
                                   wsx_rule_info((enum wsx_rule)i)->id);
    return g_string_free(ids, FALSE);
}

/* Compares as sets, and looks for secrets in the details. */
static void assert_heard(const struct heard *heard, const char *expected, const char *name) {
    char *ids = heard_ids(heard);
    char **wanted = g_strsplit_set(expected, " ", -1);
    bool good = true;
    size_t count = 0, reported = 0;
    for (char **id = wanted; *id; id++) {
        if (!**id)
            continue;
        char *padded = g_strdup_printf(" %s ", ids), *needle = g_strdup_printf(" %s ", *id);
        good &= strstr(padded, needle) != NULL;
        g_free(padded);
        g_free(needle);
        count++;
    }
    for (int i = 0; i < WSX_RULE_COUNT; i++) {
        reported += heard->rules[i];
        fired[i] |= heard->rules[i];
        if (heard->details[i] && strstr(heard->details[i], "SECRET"))
            g_error("%s: secret in \"%s\"", name, heard->details[i]);
    }
    if (!good || count != reported)
        g_error("%s: expected [%s], heard [%s]", name, expected, ids);
    g_strfreev(wanted);
    g_free(ids);
}

/* ---- heads ---- */

#define PMD "permessage-deflate"
#define GET "GET /chat HTTP/1.1\r\n"
#define HOST "Host: server.example.com\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define THE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define THE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define KEY "Sec-WebSocket-Key: " THE_KEY "\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define REQUEST GET HOST UPGRADE CONNECTION KEY VERSION
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: " THE_ACCEPT "\r\n"
#define RESPONSE SWITCHING UPGRADE CONNECTION ACCEPT
#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.SECRET"

/* Reads "lines" and the blank line behind them. */
static inline struct wsx_head head_of(const char *lines) {
    char *text = g_strconcat(lines, "\r\n", NULL);
    size_t length = strlen(text);
    uint8_t *bytes = guard_copy(text, length);
    struct wsx_head head;
    bool complete;
    g_assert_cmpuint(wsx_head_parse(bytes, length, &head, &complete), ==, length);
    g_assert_true(complete);
    g_assert_false(head.cut);
    guard_free(bytes, length);
    g_free(text);
    return head;
}

/* A head of HTTP/2 from "name: value" lines. */
static inline struct wsx_head head2_of(const char *lines, bool request) {
    struct wsx_head head = {.http = WSX_HTTP_2, .request = request};
    char **fields = g_strsplit(lines, "\n", -1);
    for (char **field = fields; *field; field++) {
        const char *colon = **field ? strchr(*field + 1, ':') : NULL;
        if (colon)
            wsx_head_add(&head, *field, (size_t)(colon - *field), colon + 1, strlen(colon + 1));
    }
    g_strfreev(fields);
    return head;
}

#endif
