/*
 * inside.c - see inside.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "fuzz.h"
#include "inside.h"

#include "compat.h"

#include <epan/column.h>
#include <epan/column-info.h>
#include <epan/epan.h>
#include <epan/epan_dissect.h>
#include <epan/prefs.h>
#include <epan/timestamp.h>
#include <wiretap/wtap.h>
#include <wsutil/filesystem.h>
#include <wsutil/privileges.h>
#include <wsutil/wslog.h>

#define HEADERS 54u /* Ethernet, IPv4, TCP */

/* Inputs in one file of Wireshark's. */
#define INPUTS_A_FILE 10000u

int LLVMFuzzerInitialize(int *count, char ***arguments);
void plugin_register(void);

/* The build gives the plugin these in the place of Wireshark's, so that a file can begin and end
 * for the plugin alone. */
#define ROUTINES_MAX 16u
struct routines {
    void (*list[ROUTINES_MAX])(void);
    unsigned count;
};
static struct routines at_begin, at_end;
#undef register_init_routine
#undef register_cleanup_routine
void wsx_fuzz_init_routine(void (*routine)(void));
void wsx_fuzz_cleanup_routine(void (*routine)(void));

static void routine_add(struct routines *routines, void (*routine)(void)) {
    FUZZ_CHECK(routines->count < ROUTINES_MAX);
    routines->list[routines->count++] = routine;
}

void wsx_fuzz_init_routine(void (*routine)(void)) { routine_add(&at_begin, routine); }
void wsx_fuzz_cleanup_routine(void (*routine)(void)) { routine_add(&at_end, routine); }

static void call_all(const struct routines *routines) {
    for (unsigned i = 0; i < routines->count; i++)
        routines->list[i]();
}

struct packet {
    uint8_t bytes[HEADERS + INSIDE_SEGMENT_MAX];
    unsigned length, captured;
    frame_data frame;
    nstime_t time;
};

static struct packet packets[INSIDE_PACKETS_MAX * 2];
static unsigned packet_count;
static uint32_t packets_before; /* of earlier inputs */
static uint32_t inputs;
static epan_t *session;
static column_info columns;

static const nstime_t *time_of(struct packet_provider_data *provider _U_, guint32 number) {
    bool known = number > packets_before && number <= packets_before + packet_count;
    return known ? &packets[number - packets_before - 1].time : NULL;
}

static tvbuff_t *frame_tvb(const struct packet *packet) {
    return tvb_new_real_data(packet->bytes, packet->captured, (int)packet->length);
}

/* Preferences as after tshark's -o, with blanks between. */
static void take_options(const char *text) {
    char **options = g_strsplit(text ? text : "", " ", -1);
    for (unsigned i = 0; options[i]; i++)
        if (*options[i])
            FUZZ_CHECK(prefs_set_pref(options[i], &(char *){NULL}) == PREFS_SET_OK);
    g_strfreev(options);
    prefs_apply_all();
}

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count;
    setenv("WIRESHARK_DEBUG_WMEM_OVERRIDE", "simple", 0);
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    setenv("HOME", "/nonexistent", 1);
    ws_log_init("fuzz", NULL);
    ws_log_set_level(LOG_LEVEL_CRITICAL);
    init_process_policies();
    g_free(configuration_init((*arguments)[0], NULL));
    timestamp_set_type(TS_RELATIVE);
    timestamp_set_precision(TS_PREC_AUTO);
    wtap_init(FALSE);
    plugin_register();
    if (!epan_init(NULL, NULL, FALSE))
        abort();
    prefs_reset();
    e_prefs *settings = epan_load_settings();
    take_options(g_getenv("FUZZ_OPTIONS"));
    build_column_format_array(&columns, settings->num_cols, TRUE);
    char tap[] = "websocket,messages,/dev/null";
    if (!process_stat_cmd_arg(tap))
        abort();
    start_requested_stats();
    return 0;
}

/* ---- packets ---- */

static void put32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_headers(uint8_t *at, unsigned d, uint32_t sequence, uint32_t acknowledged,
                        uint8_t flags, unsigned length) {
    static const uint8_t ethernet_ip[34] = {2, 0, 0,    0, 0, 1, 2,  0, 0, 0, 0,  2,
                                            8, 0, 0x45, 0, 0, 0, 0,  1, 0, 0, 64, 6,
                                            0, 0, 10,   0, 0, 1, 10, 0, 0, 2};
    memcpy(at, ethernet_ip, sizeof ethernet_ip);
    memset(at + 34, 0, 20);
    unsigned total = length + 40;
    at[16] = (uint8_t)(total >> 8);
    at[17] = (uint8_t)total;
    uint8_t *client_address = at + (d ? 30 : 26);
    put32(client_address, 0x0A000000u | (inputs & 0xFFFFFFu));
    put32(at + (d ? 26 : 30), 0xC0000201u);
    unsigned client = 40000, server = 80, from = d ? server : client, to = d ? client : server;
    at[34] = (uint8_t)(from >> 8);
    at[35] = (uint8_t)from;
    at[36] = (uint8_t)(to >> 8);
    at[37] = (uint8_t)to;
    put32(at + 38, sequence);
    put32(at + 42, acknowledged);
    at[46] = 0x50;
    at[47] = flags;
    at[48] = 0xFF;
    at[49] = 0xFF;
}

static void add_packet(struct inside_flow *flow, unsigned d, uint32_t sequence, uint8_t flags,
                       const uint8_t *bytes, unsigned length) {
    if (packet_count >= INSIDE_PACKETS_MAX * 2)
        return;
    struct packet *packet = &packets[packet_count++];
    put_headers(packet->bytes, d, sequence, flow->next[!d], flags, length);
    if (length)
        memcpy(packet->bytes + HEADERS, bytes, length);
    packet->length = packet->captured = HEADERS + length;
    packet->time = (nstime_t){.secs = 1000 + flow->milliseconds / 1000,
                              .nsecs = (int)(flow->milliseconds % 1000) * 1000000};
    flow->milliseconds += 7;
}

void inside_segment(struct inside_flow *flow, unsigned what, const uint8_t *bytes,
                    unsigned length) {
    unsigned d = what & 1, before = packet_count;
    uint8_t flags = (uint8_t)(0x18 | (what & HAPPENS_FIN ? 1 : 0) | (what & HAPPENS_RST ? 4 : 0));
    uint32_t sequence = flow->next[d];
    if (what & HAPPENS_BACK)
        flow->milliseconds -= MIN(flow->milliseconds, 20u);
    if (!(what & HAPPENS_LOST))
        add_packet(flow, d, sequence, flags, bytes, length);
    if (packet_count > before && (what & HAPPENS_CUT))
        packets[before].captured -= length / 2;
    if (packet_count > before && before && (what & HAPPENS_SWAP)) {
        struct packet swapped = packets[before];
        packets[before] = packets[before - 1];
        packets[before - 1] = swapped;
    }
    flow->next[d] += length + (what & HAPPENS_FIN ? 1 : 0);
    if (what & HAPPENS_AGAIN)
        add_packet(flow, d, sequence - 1, flags, bytes, length);
}

/* ---- passes ---- */

static void record_of(const struct packet *packet, wtap_rec *record) {
    memset(record, 0, sizeof *record);
    record->rec_type = REC_TYPE_PACKET;
    record->presence_flags = WTAP_HAS_TS | WTAP_HAS_CAP_LEN;
    record->ts = packet->time;
    record->tsprec = WTAP_TSPREC_NSEC;
    record->rec_header.packet_header.caplen = packet->captured;
    record->rec_header.packet_header.len = packet->length;
    record->rec_header.packet_header.pkt_encap = WTAP_ENCAP_ETHERNET;
}

static void dissect(epan_dissect_t *edt, const struct packet *packet, frame_data *frame,
                    column_info *cinfo, bool taps) {
    wtap_rec record;
    record_of(packet, &record);
    void (*run)(epan_dissect_t *, int, wtap_rec *, tvbuff_t *, frame_data *, column_info *) =
        taps ? epan_dissect_run_with_taps : epan_dissect_run;
    run(edt, WTAP_FILE_TYPE_SUBTYPE_UNKNOWN, &record, frame_tvb(packet), frame, cinfo);
}

static void frame_begin(frame_data *frame, const struct packet *packet, uint32_t number) {
    wtap_rec record;
    record_of(packet, &record);
    frame_data_init(frame, number, &record, 0, 0);
}

/* A new epan_dissect_t for each packet, as in Wireshark: packet memory of the one before is gone.
 */
static void dissect_one(const struct packet *packet, frame_data *frame, bool tree,
                        bool with_columns, bool taps) {
    epan_dissect_t *edt = epan_dissect_new(session, tree, tree);
    if (with_columns)
        col_custom_prime_edt(edt, &columns);
    dissect(edt, packet, frame, with_columns ? &columns : NULL, taps);
    if (with_columns)
        epan_dissect_fill_in_columns(edt, FALSE, FALSE);
    epan_dissect_free(edt);
}

static void first_pass(unsigned how) {
    static frame_data shared;
    for (unsigned i = 0; i < packet_count; i++) {
        frame_data *frame = how & WALK_SAME_FRAME ? &shared : &packets[i].frame;
        frame_begin(frame, &packets[i], packets_before + i + 1);
        dissect_one(&packets[i], frame, how & WALK_TREE, how & WALK_COLUMNS,
                    (how & WALK_SAME_FRAME) || !(how & WALK_AGAIN));
        frame_data_set_after_dissect(frame, &(guint32){0});
        frame->visited = 1;
        if (how & WALK_SAME_FRAME)
            frame_data_destroy(frame);
    }
}

static void later_passes(void) {
    for (unsigned i = packet_count; i > 0; i--) /* the last one again at once, as a click does */
        dissect_one(&packets[i - 1], &packets[i - 1].frame, true, true, false);
    for (unsigned i = 0; i < packet_count; i++)
        dissect_one(&packets[i], &packets[i].frame, i & 1, true, true);
}

/* limited: a bit for each limit that is at its smallest. */
static void set_preferences(unsigned limited) {
    module_t *module = prefs_find_module("websocket");
    static const char *const limits[] = {"limit_total", "limit_frame", "limit_message",
                                         "limit_inflated"};
    static const unsigned usual[] = {1024, 256, 256, 64};
    for (unsigned i = 0; i < array_length(limits); i++) {
        pref_t *preference = prefs_find_preference(module, limits[i]);
        FUZZ_CHECK(preference != NULL);
        prefs_set_uint_value(preference, limited >> i & 1 ? 0 : usual[i], pref_current);
    }
}

/* ---- one input ---- */

void inside_begin(struct inside_flow *flow, unsigned how) {
    static const struct packet_provider_funcs provider = {.get_frame_ts = time_of};
    static unsigned limits_before;
    unsigned limits = how / WALK_LIMITS;
    if (limits != limits_before)
        set_preferences(limits_before = limits);
    if (inputs++ % INPUTS_A_FILE == 0) {
        if (session)
            epan_free(session);
        session = epan_new(NULL, &provider);
        packets_before = 0;
    }
    *flow = (struct inside_flow){{1000, 5000}, 0};
    packet_count = 0;
    add_packet(flow, 0, 999, 2, NULL, 0);
    add_packet(flow, 1, 4999, 0x12, NULL, 0);
}

bool inside_is_full(void) { return packet_count >= INSIDE_PACKETS_MAX; }

void inside_dissect(unsigned how) {
    reset_tap_listeners();
    call_all(&at_begin);
    first_pass(how);
    if (!(how & WALK_SAME_FRAME)) {
        if (how & WALK_AGAIN)
            later_passes();
        for (unsigned i = 0; i < packet_count; i++)
            frame_data_destroy(&packets[i].frame);
    }
    draw_tap_listeners(TRUE);
    call_all(&at_end);
    packets_before += packet_count;
}
