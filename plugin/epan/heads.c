/*
 * heads.c - where heads of HTTP/1 messages stand in a packet's data sources. A message begins where
 * TCP's payload does, or what was joined of several segments, and behind another message; what
 * looks like a head elsewhere may be content, as a page about WebSocket or an uploaded log: it
 * counts when HTTP has just read such a head. First pass.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "heads.h"

#include "store.h"
#include "core/tokens.h"

#include <epan/dissectors/packet-http.h>

/* How far a source is searched for heads. */
#define SEARCHED_MAX (WSX_FIRST_MAX + 2048)

static int proto_http = -1;

void wsx_heads_handoff(void) { proto_http = proto_get_id_by_filter_name("http"); }

/* ---- data sources ---- */

enum kind { OWN, JOINED, CONTENT };

static enum kind kind_of(const struct data_source *source, bool encrypted) {
    char *name = wsx_data_source_name(source);
    enum kind kind = OWN;
    if (name && g_str_has_prefix(name, encrypted ? "Reassembled TLS" : "Reassembled TCP"))
        kind = JOINED;
    else if (name && strstr(name, "entity body"))
        kind = CONTENT;
    wmem_free(NULL, name);
    return kind;
}

void wsx_sources_init(struct wsx_sources *sources, packet_info *pinfo, const uint8_t *payload,
                      bool encrypted) {
    GSList *first = pinfo->data_src;
    *sources = (struct wsx_sources){
        .pinfo = pinfo, .payload = payload, .encrypted = encrypted, .next = first};
    sources->phase = first && first->next ? 0 : 1; /* the packet alone was not joined */
}

static bool holds_payload(const struct wsx_sources *sources, const struct wsx_source *source) {
    return sources->payload && sources->payload >= source->bytes &&
           sources->payload <= source->bytes + source->whole;
}

static bool source_open(const struct wsx_sources *sources, tvbuff_t *tvb, enum kind kind,
                        bool first, struct wsx_source *source) {
    *source = (struct wsx_source){.tvb = tvb, .encrypted = sources->encrypted};
    source->whole = tvb_captured_length(tvb);
    source->length = MIN(source->whole, SEARCHED_MAX);
    if (!source->whole || (first && source->encrypted))
        return false;
    source->bytes = tvb_get_ptr(tvb, 0, (int)source->whole);
    if (kind == JOINED || source->encrypted) {
        source->begins = kind == JOINED || !sources->joined;
    } else if (holds_payload(sources, source)) {
        source->packet = true;
        source->begins = !sources->joined;
        source->start = (size_t)(sources->payload - source->bytes);
    } else {
        source->packet = first && !sources->payload;
    }
    return true;
}

bool wsx_sources_next(struct wsx_sources *sources, struct wsx_source *source) {
    GSList *const all = sources->pinfo->data_src;
    for (; sources->phase < 2; sources->phase++, sources->next = all)
        while (sources->next) {
            const struct data_source *next = sources->next->data;
            bool first = sources->next == all;
            sources->next = sources->next->next;
            enum kind kind = first ? OWN : kind_of(next, sources->encrypted);
            if (kind == CONTENT || (kind == JOINED) != (sources->phase == 0))
                continue;
            sources->joined |= kind == JOINED;
            if (source_open(sources, get_data_source_tvb(next), kind, first, source))
                return true;
        }
    return false;
}

/* ---- heads ---- */

/* Behind the version of a status line is a blank, behind that of a request line there is none. */
static bool ends_version(const uint8_t *bytes, size_t length) {
    return length > 8 && wsx_is_blank((char)bytes[8]);
}

/* A status line, and the methods of a request line. */
static const char *const starts[] = {"HTTP/1.", "GET ",   "POST ",    "PUT ",   "HEAD ", "OPTIONS ",
                                     "DELETE ", "PATCH ", "CONNECT ", "TRACE ", NULL};
#define FIRST_METHOD 1

/* Where a head may begin. */
static size_t find_start(const uint8_t *bytes, size_t length) {
    for (size_t at = 0; at < length; at++) {
        if (bytes[at] < 'A' || bytes[at] > 'Z')
            continue;
        for (size_t i = 0; starts[i]; i++) {
            if ((uint8_t)starts[i][0] != bytes[at])
                continue;
            size_t n = strlen(starts[i]);
            if (length - at > n && memcmp(bytes + at, starts[i], n) == 0 &&
                (i || ends_version(bytes + at, length - at)))
                return at;
        }
    }
    return length;
}

bool wsx_heads_any(const uint8_t *bytes, size_t length) {
    return find_start(bytes, length) < length;
}

static bool is_known_method(const char *method) {
    size_t length = strlen(method);
    for (size_t i = FIRST_METHOD; starts[i]; i++)
        if (strlen(starts[i]) == length + 1 && memcmp(starts[i], method, length) == 0)
            return true;
    return false;
}

/* The same text, as far as HTTP keeps bytes as they are. */
static bool is_same(const char *theirs, const char *ours) {
    while (*theirs && *theirs == *ours)
        theirs++, ours++;
    return *theirs == *ours || (unsigned char)*ours < 0x21 || (unsigned char)*ours > 0x7E;
}

/* Whether HTTP has read such a head last; `otherwise` where it does not tell. */
static bool http_agrees(packet_info *pinfo, const struct wsx_head *head, bool otherwise) {
    conversation_t *conversation = wsx_store_conversation(pinfo, false);
    const http_conv_t *http =
        conversation ? conversation_get_proto_data(conversation, proto_http) : NULL;
#if WSX_HTTP_KEEPS_REQUESTS
    const http_req_res_t *last = http ? http->req_res_tail : NULL;
#else
    const http_conv_t *last = http;
#endif
    if (!last)
        return otherwise;
    if (!head->request)
        return last->response_code == head->status;
    if (!last->request_method || !last->request_uri)
        return otherwise;
    return is_same(last->request_method, head->method) && is_same(last->request_uri, head->target);
}

/* Where a message begins, any method may stand; but a capture may begin in the middle of a content,
 * in which any word may be one. */
static bool is_head(packet_info *pinfo, const struct wsx_heads *heads,
                    const struct wsx_head *head) {
    if (heads->begins && head->request)
        return is_known_method(head->method) || http_agrees(pinfo, head, false);
    return heads->begins || heads->trusting || http_agrees(pinfo, head, true);
}

struct wsx_heads wsx_heads_begin(const struct wsx_source *source, bool trusting) {
    return (struct wsx_heads){
        .at = source->begins ? source->start : 0, .begins = source->begins, .trusting = trusting};
}

/* Behind the head and its content, if its length is known. */
static void pass_over(const struct wsx_source *source, struct wsx_heads *heads,
                      const struct wsx_head *head, size_t end) {
    uint64_t content = 0;
    heads->begins = wsx_head_content(head, source->bytes + heads->at, end - heads->at,
                                     source->whole - heads->at, &content);
    heads->at = end + (size_t)(heads->begins ? MIN(content, source->whole - end) : 0);
}

bool wsx_heads_next(packet_info *pinfo, const struct wsx_source *source, struct wsx_heads *heads,
                    struct wsx_head *head, size_t *begin, size_t *end) {
    const uint8_t *bytes = source->bytes;
    size_t length = source->length, whole = source->whole;
    while (heads->at < (heads->begins ? whole : length)) {
        if (!heads->begins)
            heads->at += find_start(bytes + heads->at, length - heads->at);
        if (heads->at >= whole)
            return false;
        bool complete;
        size_t used = wsx_head_parse(bytes + heads->at, whole - heads->at, head, &complete);
        if (used && complete && is_head(pinfo, heads, head)) {
            *begin = heads->at;
            *end = heads->at + used;
            pass_over(source, heads, head, *end);
            return true;
        }
        wsx_head_clear(head);
        if (!heads->begins)
            heads->at += used ? used : 1;
        heads->begins = false; /* the same place is searched */
    }
    return false;
}
