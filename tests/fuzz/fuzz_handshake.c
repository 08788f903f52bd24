/*
 * fuzz_handshake.c - a request and an answer, each a head of any bytes, read, judged and held
 * against each other. What is agreed must lie in its ranges, and no text may hold a control byte.
 *
 * The first byte chooses; a 0xFF byte stands between the two heads.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"

#include "credentials.h"
#include "handshake.h"

#include <glib.h>

static void on_finding(void *context, enum wsx_rule rule, enum wsx_severity severity,
                       uint32_t packet, const char *detail) {
    unsigned *count = context;
    FUZZ_CHECK(rule < WSX_RULE_COUNT && severity <= WSX_ERROR);
    FUZZ_CHECK(strlen(detail) <= 400);
    *count += packet ? 2u : 1u;
}

static void check_text(const char *text) {
    for (; text && *text; text++)
        FUZZ_CHECK((unsigned char)*text >= 0x20);
}

static void check_head(const struct wsx_head *head) {
    check_text(head->key);
    check_text(head->accept);
    check_text(head->version);
    check_text(head->protocol);
    check_text(head->extensions);
    check_text(head->origin);
    check_text(head->host);
    FUZZ_CHECK(!head->extensions || strlen(head->extensions) <= WSX_VALUE_MAX);
}

/* HTTP/2: name and value, each up to a NUL. */
static void add_pairs(struct wsx_head *head, const uint8_t *bytes, size_t length) {
    size_t at = 0;
    while (at < length) {
        const uint8_t *name = bytes + at, *stop = memchr(name, 0, length - at);
        if (!stop)
            return;
        size_t name_length = (size_t)(stop - name);
        at += name_length + 1;
        const uint8_t *value = bytes + at;
        stop = at < length ? memchr(value, 0, length - at) : NULL;
        size_t value_length = stop ? (size_t)(stop - value) : length - at;
        wsx_head_add(head, (const char *)name, name_length, (const char *)value, value_length);
        at += value_length + 1;
    }
}

static void read_head(struct wsx_head *head, bool request, unsigned how, const uint8_t *bytes,
                      size_t length) {
    bool complete;
    memset(head, 0, sizeof *head);
    if (how & 1) {
        head->http = WSX_HTTP_2;
        head->request = request;
        add_pairs(head, bytes, length);
    } else {
        size_t used = wsx_head_parse(bytes, length, head, &complete);
        FUZZ_CHECK(used <= length);
    }
    check_head(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!size)
        return 0;
    unsigned how = *bytes++, findings = 0;
    size--;
    const uint8_t *stop = size ? memchr(bytes, 0xFF, size) : NULL;
    size_t first = stop ? (size_t)(stop - bytes) : size;
    struct wsx_head request, response;
    struct wsx_finding_sink sink = {on_finding, &findings};
    struct wsx_agreement agreement;
    read_head(&request, true, how, bytes, first);
    read_head(&response, false, how, stop ? stop + 1 : bytes, stop ? size - first - 1 : 0);
    if (how & 8)
        response.status = 101;
    wsx_handshake_check_request(&request, how & 2, &sink);
    wsx_handshake_check_response(how & 4 ? NULL : &request, how & 4 ? 0 : 1, &response, &agreement,
                                 &sink);
    FUZZ_CHECK(agreement.client_bits >= 8 && agreement.client_bits <= 15);
    FUZZ_CHECK(agreement.server_bits >= 8 && agreement.server_bits <= 15);
    char *uri = wsx_handshake_uri(&request, how & 2);
    g_free(uri);
    wsx_handshake_credential(&request);
    wsx_agreement_clear(&agreement);
    wsx_head_clear(&request);
    wsx_head_clear(&response);
    return 0;
}
