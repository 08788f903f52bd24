/*
 * extensions.h - Sec-WebSocket-Extensions (RFC 6455 9.1) and the parameters of permessage-deflate
 * (RFC 7692 7.1): a header value in, extensions and their faults out. Compares no offer with an
 * answer; see negotiate.c for that.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_EXTENSIONS_H
#define WSX_CORE_EXTENSIONS_H

#include "tokens.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WSX_DEFLATE_NAME "permessage-deflate"

struct wsx_extension_parameter {
    struct wsx_slice name;
    char *value; /* unescaped, NULL when there is none; owned */
};

struct wsx_extension {
    struct wsx_slice name;                      /* in the header value; a token */
    struct wsx_extension_parameter *parameters; /* in the order sent; owned, NULL when none */
    size_t parameter_count;
    bool broken; /* the fault is in this extension: parameters from there on are not known */
};

/* Slices point into the header value, which must outlive the list. */
struct wsx_extension_list {
    struct wsx_extension *items; /* owned */
    size_t count;
    const char *fault; /* what is wrong with the grammar, NULL when nothing is; static */
    size_t fault_at;   /* byte of the header value */
};

/*
 * Reads a header value (lines joined by ", ") up to its end or its first fault. Empty list elements
 * are no fault as long as one element is there. value may be NULL: no extensions and no fault.
 */
void wsx_extensions_parse(const char *value, struct wsx_extension_list *list);
void wsx_extensions_clear(struct wsx_extension_list *list);

/* The parameters of permessage-deflate, as bits. */
enum wsx_deflate_parameter {
    WSX_SERVER_NO_TAKEOVER = 1,
    WSX_CLIENT_NO_TAKEOVER = 2,
    WSX_SERVER_BITS = 4,
    WSX_CLIENT_BITS = 8,
};

/* One offer of permessage-deflate, or its acceptance. */
struct wsx_deflate_parameters {
    unsigned present;    /* bits of what is there, with a good value or not */
    unsigned good;       /* those of them with a good value */
    uint8_t server_bits; /* 8 to 15; 15 when absent or bad */
    uint8_t client_bits; /* the same, and 15 for an offer without value (RFC 7692 7.1.2.2) */
    bool faulty;         /* some parameter is unknown, repeated or bad, or the grammar is */
};

/* Details of faults, NULL while there are none; wsx_detail_report hands them on. */
struct wsx_deflate_faults {
    GString *unknown, *repeated, *value;
};

/* Names are compared without regard to case; of a repeated parameter the first counts. `answer`:
 * client_max_window_bits needs a value there. */
void wsx_deflate_read(const struct wsx_extension *extension, bool answer,
                      struct wsx_deflate_parameters *parameters, struct wsx_deflate_faults *faults);

#endif
