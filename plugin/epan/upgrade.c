/*
 * upgrade.c - the opening handshake read from HTTP/1.1: the head of a request or a response is
 * found in the packet's data sources, in the first pass, and only in packets that HTTP dissected.
 * The rest is handshake.c's and state.c's.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "transport.h"

#include "fields.h"
#include "state.h"

static bool has_layer(const packet_info *pinfo, const char *name) {
    int id = proto_get_id_by_filter_name(name);
    for (wmem_list_frame_t *layer = wmem_list_tail(pinfo->layers); layer;
         layer = wmem_list_frame_prev(layer))
        if (GPOINTER_TO_INT(wmem_list_frame_data(layer)) == id)
            return true;
    return false;
}

/* Where a head with this first line may begin: "HTTP/1." of a status line, a method of a request
 * line. */
static size_t find_start(const uint8_t *bytes, size_t length, bool request) {
    static const char *const status[] = {"HTTP/1.", NULL};
    static const char *const methods[] = {"GET ",     "POST ",   "PUT ",   "HEAD ",
                                          "OPTIONS ", "DELETE ", "PATCH ", NULL};
    const char *const *starts = request ? methods : status;
    for (size_t at = 0; at < length; at++) {
        if (!g_ascii_isupper(bytes[at]))
            continue;
        for (size_t i = 0; starts[i]; i++) {
            size_t n = strlen(starts[i]);
            if (length - at > n && memcmp(bytes + at, starts[i], n) == 0)
                return at;
        }
    }
    return length;
}

static bool take_request(packet_info *pinfo, const uint8_t *bytes, size_t length, bool encrypted) {
    size_t at = find_start(bytes, length, true);
    while (at < length) {
        struct wsx_head head;
        bool complete;
        memset(&head, 0, sizeof head);
        size_t used = wsx_head_parse(bytes + at, length - at, &head, &complete);
        if (used && complete && head.request && wsx_head_asks(&head)) {
            wsx_state_request(pinfo, &head, encrypted);
            return true;
        }
        wsx_head_clear(&head);
        at += used ? used : 1;
        if (at >= length)
            break;
        at += find_start(bytes + at, length - at, true);
    }
    return false;
}

static bool take_response(packet_info *pinfo, struct wsx_session *session, const uint8_t *bytes,
                          size_t length, bool encrypted) {
    size_t at = find_start(bytes, length, false);
    if (at >= length)
        return false;
    struct wsx_head head;
    bool complete;
    memset(&head, 0, sizeof head);
    size_t used = wsx_head_parse(bytes + at, length - at, &head, &complete);
    bool wanted = used && complete && !head.request && (head.status == 101 || head.status >= 200);
    if (wanted && (session || (head.status == 101 && head.upgrade_websocket)))
        wsx_state_response(pinfo, session, &head, encrypted);
    else
        wanted = false;
    wsx_head_clear(&head);
    return wanted;
}

/* A request that is waiting for its answer; an earlier connection of the conversation does not
 * count. */
static struct wsx_session *waiting(packet_info *pinfo) {
    struct wsx_session *session = wsx_state_find(pinfo);
    return session && !session->response_packet && !session->opened ? session : NULL;
}

void wsx_upgrade_scan(packet_info *pinfo) {
    if (wsx_state_handshake(pinfo->num) || !has_layer(pinfo, "http"))
        return;
    bool encrypted = has_layer(pinfo, "tls");
    struct wsx_session *session = waiting(pinfo);
    bool answer = session && wsx_state_direction(session, pinfo) == WSX_SERVER_TO_CLIENT;
    if (!session && wsx_state_find(pinfo) && wsx_state_find(pinfo)->opened)
        return;
    for (GSList *source = pinfo->data_src; source; source = source->next) {
        tvbuff_t *tvb = get_data_source_tvb(source->data);
        unsigned length = MIN(tvb_captured_length(tvb), WSX_HEAD_MAX);
        const uint8_t *bytes = length ? tvb_get_ptr(tvb, 0, (int)length) : NULL;
        if (!bytes)
            continue;
        if (answer || !session) {
            if (take_response(pinfo, session, bytes, length, encrypted))
                return;
        }
        if (!answer && take_request(pinfo, bytes, length, encrypted))
            return;
    }
}
