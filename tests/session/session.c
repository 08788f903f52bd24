/*
 * session.c - what a person does with Wireshark while it runs, without its window: files opened one
 * after the other, preferences changed while one is open, protocols switched off and on, packets
 * clicked. The plugin is loaded as Wireshark loads it, from its plugin folder.
 *
 *   session WORD...    the words are carried out one after the other:
 *
 *   open FILE          reads the packets and dissects each for the first time
 *   once FILE          the same, with the taps, whose output follows: as tshark in one pass
 *   set NAME:VALUE     sets a preference; `again` lets it take effect on the file that is open
 *   off NAME, on NAME  switches a protocol
 *   again              dissects the file anew, as Wireshark does when preferences have changed
 *   click              dissects each packet again, the last one first
 *   retap              begins all taps anew and runs them over the file, as -z does
 *   print              each packet's columns and tree
 *   mixed SEED         the same, but dissected twice, in random order
 *   follow N           what Follow WebSocket Stream follows from each packet, when so many others
 * have been dissected since say TEXT           prints the text tap TEXT           as -z TEXT heap
 * bytes that are allocated leaks              in a build with the sanitizers: tells what nobody can
 * free any more close
 *
 * session.py says which orders of words must give the same.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "reading.h"

#include <epan/column-info.h>
#include <epan/column.h>
#include <epan/follow.h>
#include <epan/print.h>
#include <epan/print_stream.h>
#include <epan/secrets.h>
#include <epan/timestamp.h>
#include <wsutil/privileges.h>
#include <wsutil/report_message.h>

#include <malloc.h>
#include <stdlib.h>

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

struct packet {
    frame_data frame;
    struct record record;
};

static struct packet *packets;
static unsigned packet_count;
static epan_t *session;
static wtap *capture;
static column_info columns;

static void fail(const char *text, const char *what) {
    fprintf(stderr, "session: %s: %s\n", text, what);
    exit(2);
}

static const nstime_t *time_of(struct packet_provider_data *provider _U_, uint32_t number) {
    bool known = number > 0 && number <= packet_count;
    return known ? &packets[number - 1].record.rec.ts : NULL;
}

/* ---- dissecting ---- */

enum pass { PASS_LIST, PASS_ONCE, PASS_TREE, PASS_TAPS };

static epan_dissect_t *dissect(struct packet *packet, enum pass pass) {
    /* as Wireshark's own list does; what it does for taps asks for less */
    bool wanted = (pass == PASS_LIST || pass == PASS_ONCE) && postdissectors_want_hfids();
    epan_dissect_t *edt = epan_dissect_new(session, wanted || pass == PASS_TREE, pass == PASS_TREE);
    if (wanted)
        READING_PRIME(edt);
    col_custom_prime_edt(edt, &columns);
    record_dissect(edt, &packet->record, &packet->frame, &columns,
                   pass == PASS_TAPS || pass == PASS_ONCE);
    epan_dissect_fill_in_columns(edt, FALSE, TRUE);
    return edt;
}

static void begin_session(void) {
    static const struct packet_provider_funcs provider = {.get_frame_ts = time_of};
    session = epan_new(NULL, &provider);
    wtap_set_cb_new_secrets(capture, secrets_wtap_callback); /* the keys of TLS */
}

static void first_pass(enum pass pass) {
    nstime_t elapsed = NSTIME_INIT_ZERO;
    const frame_data *reference = NULL;
    guint32 bytes = 0;
    for (unsigned i = 0; i < packet_count; i++) {
        struct packet *packet = &packets[i];
        frame_data_set_before_dissect(&packet->frame, &elapsed, &reference,
                                      i ? &packets[i - 1].frame : NULL);
        epan_dissect_free(dissect(packet, pass));
        frame_data_set_after_dissect(&packet->frame, &bytes);
        packet->frame.visited = 1;
    }
}

static void do_again(void) {
    reset_tap_listeners();
    epan_free(session);
    for (unsigned i = 0; i < packet_count; i++) {
        frame_data_reset(&packets[i].frame);
        packets[i].frame.visited = 0;
    }
    begin_session();
    first_pass(PASS_LIST);
}

static void do_click(void) {
    for (unsigned i = packet_count; i > 0; i--)
        epan_dissect_free(dissect(&packets[i - 1], PASS_TREE));
}

static void do_retap(void) {
    reset_tap_listeners();
    for (unsigned i = 0; i < packet_count; i++)
        epan_dissect_free(dissect(&packets[i], PASS_TAPS));
    draw_tap_listeners(TRUE);
}

static void print_packet(unsigned i, FILE *file) {
    print_stream_t *out = print_stream_text_stdio_new(file);
    epan_dissect_t *edt = dissect(&packets[i], PASS_TREE);
    fprintf(file, "packet %u: ", i + 1);
    for (int c = 0; c < (int)columns.num_cols; c++)
        fprintf(file, "%s%s", c ? " | " : "", get_column_text(&columns, c));
    fprintf(file, "\n");
    proto_tree_print(print_dissections_expanded, FALSE, edt, NULL, out);
    epan_dissect_free(edt);
    g_free(out);
}

static void do_print(void) {
    for (unsigned i = 0; i < packet_count; i++)
        print_packet(i, stdout);
    fflush(stdout);
}

static void do_mixed(unsigned seed) {
    char **texts = g_new0(char *, packet_count + 1);
    size_t length;
    GRand *random = g_rand_new_with_seed(seed);
    unsigned *order = g_new(unsigned, 2 * packet_count + 1);
    for (unsigned i = 0; i < 2 * packet_count; i++) {
        unsigned other = (unsigned)g_rand_int_range(random, 0, (gint32)i + 1);
        order[i] = order[other];
        order[other] = i % packet_count;
    }
    for (unsigned i = 0; i < 2 * packet_count; i++) {
        free(texts[order[i]]);
        FILE *file = open_memstream(&texts[order[i]], &length);
        print_packet(order[i], file);
        fclose(file);
    }
    for (unsigned i = 0; i < packet_count; i++) {
        fputs(texts[i], stdout);
        free(texts[i]);
    }
    fflush(stdout);
    g_free(texts);
    g_free(order);
    g_rand_free(random);
}

static void do_follow(unsigned behind) {
    follow_conv_filter_func filter_of = get_follow_conv_func(get_follow_by_name("WebSocket"));
    for (unsigned i = 0; i < packet_count; i++) {
        unsigned stream, sub_stream;
        epan_dissect_t *edt = dissect(&packets[i], PASS_TREE);
        for (unsigned k = 1; k <= behind; k++)
            epan_dissect_free(dissect(&packets[(i + k) % packet_count], PASS_TREE));
        char *filter = filter_of(edt, &edt->pi, &stream, &sub_stream);
        printf("packet %u: %s\n", i + 1, filter ? filter : "nothing to follow");
        g_free(filter);
        epan_dissect_free(edt);
    }
    fflush(stdout);
}

/* ---- files ---- */

static void do_close(void) {
    if (!session)
        return;
    reset_tap_listeners();
    epan_free(session);
    wtap_close(capture);
    session = NULL;
    for (unsigned i = 0; i < packet_count; i++) {
        frame_data_destroy(&packets[i].frame);
        record_clear(&packets[i].record);
    }
    g_free(packets);
    packets = NULL;
    packet_count = 0;
}

static void do_open(const char *path, enum pass pass) {
    int error;
    char *text = NULL;
    gint64 offset;
    do_close();
    capture = wtap_open_offline(path, WTAP_TYPE_AUTO, &error, &text, FALSE);
    if (!capture)
        fail("can't open", path);
    begin_session();
    struct record record;
    record_init(&record);
    while (record_read(capture, &record, &error, &text, &offset)) {
        wtap_block_unref(record.rec.block);
        record.rec.block = NULL;
        if (record.rec.rec_type != REC_TYPE_PACKET)
            continue;
        packets = g_renew(struct packet, packets, packet_count + 1);
        struct packet *packet = &packets[packet_count++];
        memset(packet, 0, sizeof *packet);
        record_keep(&packet->record, &record);
        frame_data_init(&packet->frame, packet_count, &packet->record.rec, offset, 0);
    }
    g_free(text); /* a file may end within a packet */
    record_clear(&record);
    first_pass(pass);
}

static void do_once(const char *path) {
    reset_tap_listeners();
    do_open(path, PASS_ONCE);
    draw_tap_listeners(TRUE);
}

static void do_say(const char *text) {
    puts(text);
    fflush(stdout);
}

/* ---- words ---- */

static void do_set(const char *preference) {
    char *copy = g_strdup(preference), *error = NULL;
    if (prefs_set_pref(copy, &error) != PREFS_SET_OK)
        fail(error ? error : "no such preference or value", preference);
    prefs_apply_all();
    g_free(copy);
}

static void do_switch(const char *name, bool on) {
    int proto = proto_get_id_by_filter_name(name);
    if (proto <= 0)
        fail("no such protocol", name);
    proto_set_decoding(proto, on);
}

static void do_heap(void) {
    malloc_trim(0);
    struct mallinfo2 info = mallinfo2();
    printf("heap %zu\n", info.uordblks + info.hblkhd);
}

static void do_leaks(void) {
    if (!__lsan_do_recoverable_leak_check)
        fail("not built with the sanitizers", "leaks");
    __lsan_do_recoverable_leak_check();
}

/* Words without an argument. */
static bool do_alone(const char *word) {
    static const struct {
        const char *word;
        void (*function)(void);
    } words[] = {{"again", do_again}, {"click", do_click}, {"retap", do_retap}, {"print", do_print},
                 {"heap", do_heap},   {"close", do_close}, {"leaks", do_leaks}};
    for (size_t i = 0; i < array_length(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            words[i].function();
            return true;
        }
    }
    return false;
}

static bool do_with(const char *word, char *argument) {
    if (strcmp(word, "open") == 0)
        do_open(argument, PASS_LIST);
    else if (strcmp(word, "once") == 0)
        do_once(argument);
    else if (strcmp(word, "mixed") == 0)
        do_mixed((unsigned)strtoul(argument, NULL, 10));
    else if (strcmp(word, "follow") == 0)
        do_follow((unsigned)strtoul(argument, NULL, 10));
    else if (strcmp(word, "say") == 0)
        do_say(argument);
    else if (strcmp(word, "set") == 0)
        do_set(argument);
    else if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0)
        do_switch(argument, word[1] == 'n');
    else if (strcmp(word, "tap") != 0)
        return false;
    else if (!process_stat_cmd_arg(argument))
        fail("no such tap", argument);
    else
        start_requested_stats();
    return true;
}

static void show(const char *format, va_list arguments) {
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

static void begin(const char *name) {
    static const struct report_message_routines routines = {.vreport_failure = show,
                                                            .vreport_warning = show};
    init_process_policies();
    READING_BEGIN("session", name);
    ws_log_set_level(LOG_LEVEL_WARNING);
    init_report_message("session", &routines);
    timestamp_set_type(TS_RELATIVE);
    timestamp_set_precision(TS_PREC_AUTO);
    timestamp_set_seconds_type(TS_SECONDS_DEFAULT);
    wtap_init(TRUE);
    if (!epan_init(NULL, NULL, TRUE))
        fail("epan_init", name);
    e_prefs *settings = epan_load_settings();
    prefs_apply_all();
    build_column_format_array(&columns, settings->num_cols, TRUE);
}

int main(int count, char **words) {
    begin(words[0]);
    for (int i = 1; i < count; i++) {
        if (do_alone(words[i]))
            continue;
        if (i + 1 >= count || !do_with(words[i], words[i + 1]))
            fail("no such word, or its argument is missing", words[i]);
        i++;
    }
    do_close();
    epan_cleanup();
    wtap_cleanup();
    return 0;
}
