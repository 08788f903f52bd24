/*
 * json_ids.h - the protocol "JSON with ids": what Phoenix channels, Action Cable, the Chrome
 * DevTools protocol and Jupyter have in common. jsonids.c has the first three, json_jupyter.c the
 * last; each fills a struct wsx_ids_unit, and wsx_ids_report draws and reports it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_APPS_JSON_IDS_H
#define WSX_APPS_JSON_IDS_H

#include "json_app.h"

/* What one message says. Members that it does not have are ABSENT or NULL. */
struct wsx_ids_unit {
    enum wsx_app_role role;
    const char *type;  /* "reply", "push"; NULL: it is no message of the dialect */
    const char *name;  /* of the event, method or channel; of an answer: NULL */
    const char *space; /* ids are unique within */
    const char *match; /* the id to match by, where it is not `id` as it stands */
    struct wsx_value id, topic, payload, status, error;
    uint32_t parent;  /* packet of the request, where it is closed already */
    const void *kept; /* as in struct wsx_app_event */
    const char *parent_name;
    bool optional; /* as in struct wsx_app_event */
};

/* Registers the protocol once, and the dialect's dissector. */
void wsx_ids_register(const char *dissector, dissector_t dissect);
extern struct wsx_json_protocol wsx_ids_protocol;

/* Fields, Info text and report of a message; `problem`: what is wrong with it, NULL for nothing. */
void wsx_ids_report(struct wsx_json *json, const struct wsx_ids_unit *unit, const char *problem);

/* A string that lies in the bytes as it is. */
struct wsx_value wsx_ids_slice(const uint8_t *bytes, size_t begin, size_t length);

#endif
