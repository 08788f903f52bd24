/*
 * check.c - `-z websocket,check[,SEVERITY]`: one line a finding, for regression judges, and a count
 * behind them. Reads findings, writes text.
 *
 *     8 0 frame-mask-missing: client frame is not masked (RFC 6455 5.1)
 *     wsx: 1 findings
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"

#include <epan/stat_groups.h>
#include <errno.h>
#include <stdlib.h>

struct checker {
    enum wsx_severity least;
    uint64_t count;
};

static const char *const severities[] = {
    [WSX_CHAT] = "chat", [WSX_NOTE] = "note", [WSX_WARNING] = "warning", [WSX_ERROR] = "error"};

/* A finding stays one line, whatever a peer has sent. */
static void one_line(char *text) {
    for (; *text; text++)
        if (g_ascii_iscntrl(*text))
            *text = ' ';
}

static void write_finding(const struct wsx_session *session, const struct wsx_finding *finding,
                          uint32_t packet, void *data) {
    struct checker *checker = data;
    if (finding->severity < checker->least)
        return;
    char *text = wsx_taps_finding_text(finding);
    one_line(text);
    printf("%u %u %s: %s\n", packet, session->number, wsx_rule_info(finding->rule)->id, text);
    g_free(text);
    checker->count++;
}

static void flush(void) {
    if (fflush(stdout) && errno != EPIPE) /* a reader that goes, as head does, has seen enough */
        wsx_taps_cannot_write("websocket,check", "-");
}

static tap_packet_status on_packet(void *data, packet_info *pinfo, epan_dissect_t *edt _U_,
                                   const void *queued, tap_flags_t flags _U_) {
    uint64_t before = ((struct checker *)data)->count;
    wsx_state_tap_ran();
    wsx_taps_findings(queued, pinfo, write_finding, data);
    if (((struct checker *)data)->count > before)
        flush();
    return TAP_PACKET_DONT_REDRAW;
}

static void at_eof(const struct wsx_item *item, packet_info *pinfo _U_, void *data) {
    wsx_taps_item_findings(item, write_finding, data);
}

/* tshark calls this once, at the end of the file. */
static void on_draw(void *data) {
    wsx_state_at_eof(at_eof, data);
    printf("wsx: %" PRIu64 " findings\n", ((struct checker *)data)->count);
    flush();
}

static void on_reset(void *data) { ((struct checker *)data)->count = 0; }

static bool parse_severity(const char *argument, enum wsx_severity *severity) {
    const char *rest = argument + strlen("websocket,check");
    *severity = WSX_WARNING;
    if (!*rest)
        return true;
    if (*rest != ',')
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(severities); i++)
        if (strcmp(rest + 1, severities[i]) == 0) {
            *severity = (enum wsx_severity)i;
            return true;
        }
    return false;
}

static WSX_STAT_RETURN check_init(const char *argument, void *user _U_) {
    struct checker *checker = g_new0(struct checker, 1);
    if (!parse_severity(argument, &checker->least)) {
        fprintf(stderr,
                "tshark: -z websocket,check[,SEVERITY]: \"%s\" is not understood; SEVERITY is "
                "chat, note, warning or error\n",
                argument);
        exit(1);
    }
    GString *error =
        register_tap_listener("websocket", checker, NULL, 0, on_reset, on_packet, on_draw, NULL);
    if (error) {
        fprintf(stderr, "tshark: -z websocket,check: %s\n", error->str);
        exit(1);
    }
    WSX_STAT_OK;
}

void wsx_tap_check_register(void) {
    static stat_tap_ui ui = {
        REGISTER_STAT_GROUP_GENERIC, "WebSocket findings", "websocket,check", check_init, 0, NULL};
    register_stat_tap_ui(&ui, NULL);
}
