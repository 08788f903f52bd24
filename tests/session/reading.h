/*
 * reading.h - records of a capture file as this Wireshark reads and dissects them, for session.c.
 * Since 4.6 the bytes belong to the record; before, they stand beside it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TESTS_READING_H
#define WSX_TESTS_READING_H

#include "compat.h"

#include <epan/epan.h>
#include <epan/epan_dissect.h>
#include <wiretap/wtap.h>
#include <wsutil/buffer.h>
#include <wsutil/filesystem.h>
#include <wsutil/wslog.h>

#define RECORD_BYTES 1514u /* to begin with */

struct record {
    wtap_rec rec;
    Buffer bytes; /* before 4.6 */
};

#if WSX_VERSION >= 406

#define READING_BEGIN(name, program)                                                               \
    do {                                                                                           \
        ws_log_init(NULL);                                                                         \
        g_free(configuration_init(program));                                                       \
    } while (0)

/* Wireshark does it by itself. */
#define READING_PRIME(edt) ((void)(edt))

static inline Buffer *record_bytes(struct record *record) { return &record->rec.data; }

static inline void record_init(struct record *record) { wtap_rec_init(&record->rec, RECORD_BYTES); }

static inline void record_clear(struct record *record) { wtap_rec_cleanup(&record->rec); }

static inline bool record_read(wtap *file, struct record *record, int *error, char **text,
                               int64_t *offset) {
    return wtap_read(file, &record->rec, error, text, offset);
}

static inline void record_dissect(epan_dissect_t *edt, struct record *record, frame_data *frame,
                                  column_info *columns, bool taps) {
    (taps ? epan_dissect_run_with_taps : epan_dissect_run)(edt, WTAP_FILE_TYPE_SUBTYPE_UNKNOWN,
                                                           &record->rec, frame, columns);
}

#else

#define READING_BEGIN(name, program)                                                               \
    do {                                                                                           \
        ws_log_init(name, NULL);                                                                   \
        g_free(configuration_init(program, NULL));                                                 \
    } while (0)

#define READING_PRIME(edt) prime_epan_dissect_with_postdissector_wanted_hfids(edt)

static inline Buffer *record_bytes(struct record *record) { return &record->bytes; }

static inline void record_init(struct record *record) {
    wtap_rec_init(&record->rec);
    ws_buffer_init(&record->bytes, RECORD_BYTES);
}

static inline void record_clear(struct record *record) {
    wtap_rec_cleanup(&record->rec);
    ws_buffer_free(&record->bytes);
}

static inline bool record_read(wtap *file, struct record *record, int *error, char **text,
                               int64_t *offset) {
    return wtap_read(file, &record->rec, &record->bytes, error, text, offset);
}

static inline void record_dissect(epan_dissect_t *edt, struct record *record, frame_data *frame,
                                  column_info *columns, bool taps) {
    const wtap_packet_header *header = &record->rec.rec_header.packet_header;
    tvbuff_t *tvb =
        tvb_new_real_data(ws_buffer_start_ptr(&record->bytes), header->caplen, (int)header->len);
    (taps ? epan_dissect_run_with_taps : epan_dissect_run)(edt, WTAP_FILE_TYPE_SUBTYPE_UNKNOWN,
                                                           &record->rec, tvb, frame, columns);
}

#endif

/* A record of its own memory with the packet of another. The bytes are exactly as long as what was
 * captured, so that reading behind them is seen; the buffers of Wireshark are longer. */
static inline void record_keep(struct record *kept, const struct record *read) {
    struct record from = *read;
    guint32 length = from.rec.rec_header.packet_header.caplen;
    record_init(kept);
    Buffer options = kept->rec.options_buf, *bytes = record_bytes(kept);
    ws_buffer_free(bytes);
    kept->rec = from.rec;
    kept->rec.options_buf = options;
    kept->rec.block = NULL;
    kept->rec.presence_flags &= WTAP_HAS_TS | WTAP_HAS_CAP_LEN;
    *bytes = (Buffer){
        .data = (guint8 *)g_memdup2(ws_buffer_start_ptr(record_bytes(&from)), MAX(length, 1)),
        .allocated = G_MAXINT32, /* no length for which Wireshark has a pool */
        .first_free = length,
    };
}

#endif
