/*
 * common.c - what several surfaces need: the findings of a packet, a moment at the end of the
 * file before anything is drawn, and what to say of a file that can't be written. Reads items;
 * keeps nothing of the file.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include "epan/info.h"
#include "writable.h"

#include <errno.h>
#include <stdlib.h>

/* ---- findings ---- */

static void visit_list(const struct wsx_session *session, const struct wsx_finding *list,
                       uint32_t packet, wsx_finding_visit visit, void *data) {
    for (; list; list = list->next)
        visit(session, list, packet, data);
}

void wsx_taps_item_findings(const struct wsx_item *item, wsx_finding_visit visit, void *data) {
    visit_list(item->session, item->findings, item->packet, visit, data);
}

void wsx_taps_findings(const struct wsx_packet *packet, packet_info *pinfo, wsx_finding_visit visit,
                       void *data) {
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    for (unsigned i = 0; i < handshakes.count; i++) {
        const struct wsx_session *session = handshakes.sessions[i];
        if (session->request_packet == pinfo->num)
            visit_list(session, session->request_findings, pinfo->num, visit, data);
        if (session->response_packet == pinfo->num)
            visit_list(session, session->response_findings, pinfo->num, visit, data);
    }
    for (unsigned i = 0; i < wmem_array_get_count(packet->items); i++)
        wsx_taps_item_findings(wmem_array_index(packet->items, i), visit, data);
}

char *wsx_taps_shown(const char *text, unsigned characters) {
    return wsx_writable(wsx_preview(NULL, (const uint8_t *)text, strlen(text), characters));
}

char *wsx_taps_finding_text(const struct wsx_finding *finding) {
    const struct wsx_rule_info *info = wsx_rule_info(finding->rule);
    char *detail = wsx_taps_shown(finding->detail, UINT_MAX);
    char *text =
        g_strdup_printf("%s%s%s%s%s%s", info->text, *detail ? ": " : "", detail,
                        *info->reference ? " (" : "", info->reference, *info->reference ? ")" : "");
    g_free(detail);
    return text;
}

void wsx_taps_cannot_write(const char *surface, const char *name) {
    fprintf(stderr, "tshark: -z %s: can't write \"%s\": %s\n", surface, name, g_strerror(errno));
    exit(1);
}

/* ---- messages and connections ---- */

uint64_t wsx_taps_message_length(const struct wsx_message *message) {
    if (message->length_known)
        return message->length;
    return message->raw ? 0 : message->have;
}

const struct wsx_session *wsx_taps_session(packet_info *pinfo) {
    const struct wsx_packet *packet = wsx_state_packet_peek(pinfo);
    const struct wsx_handshakes handshakes = wsx_state_handshakes(pinfo->num);
    if (handshakes.count)
        return handshakes.sessions[0];
    if (packet && wmem_array_get_count(packet->items))
        return ((const struct wsx_item *)wmem_array_index(packet->items, 0))->session;
    /* a part of a frame, or a packet without WebSocket bytes: the latest connection before it */
    const conversation_t *conversation = find_conversation_pinfo(pinfo, 0);
    for (unsigned i = wsx_state_session_count(); conversation && i > 0; i--) {
        const struct wsx_session *session = wsx_state_session(i - 1);
        uint32_t first = session->request_packet ? session->request_packet : session->open_packet;
        if (session->conversation == conversation && first <= pinfo->num)
            return session;
    }
    return NULL;
}

bool wsx_taps_from_client(const packet_info *pinfo, const struct wsx_session *session,
                          const struct wsx_item *item) {
    if (pinfo->num == session->request_packet)
        return true;
    if (pinfo->num == session->response_packet)
        return false;
    if (pinfo->srcport != pinfo->destport)
        return pinfo->destport == session->server.port;
    return !item || item->direction == WSX_CLIENT_TO_SERVER;
}

/* ---- the end of the file ---- */

struct hook {
    wsx_item_visit visit;
    void (*behind)(void *data);
    void *data;
};

static tap_packet_status on_packet(void *data _U_, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                   const void *queued _U_, tap_flags_t flags _U_) {
    wsx_state_tap_ran();
    return TAP_PACKET_DONT_REDRAW;
}

static void on_draw(void *data) {
    struct hook *hook = data;
    if (hook->visit)
        wsx_state_at_eof(hook->visit, hook->data);
    if (hook->behind)
        hook->behind(hook->data);
}

static void on_finish(void *data) { g_free(data); }

bool wsx_taps_draw_once(void) { return g_strcmp0(g_get_prgname(), "tshark") == 0; }

void wsx_taps_before_drawing(wsx_item_visit visit, void (*behind)(void *data), void *data) {
    if (!wsx_taps_draw_once())
        return;
    struct hook *hook = g_new0(struct hook, 1);
    *hook = (struct hook){visit, behind, data};
    GString *error =
        register_tap_listener("websocket", hook, NULL, 0, NULL, on_packet, on_draw, on_finish);
    if (error) {
        g_string_free(error, TRUE);
        g_free(hook);
    }
}
