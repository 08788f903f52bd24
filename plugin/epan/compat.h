/*
 * compat.h - the only place that knows a Wireshark version (4.0, 4.4, 4.6).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_COMPAT_H
#define WSX_EPAN_COMPAT_H

#if __has_include(<config.h>) /* 4.0 ships none */
#include <config.h>
#else
#define HAVE_PLUGINS 1
#endif
#include <ws_version.h>
#define WSX_VERSION (WIRESHARK_VERSION_MAJOR * 100 + WIRESHARK_VERSION_MINOR)
#include <wireshark.h>
#include <stdbool.h>
#include <epan/packet.h>
#include <epan/proto.h>
#include <epan/expert.h>
#include <epan/prefs.h>
#include <epan/prefs-int.h>
#include <epan/tap.h>
#include <epan/conversation.h>
#include <epan/proto_data.h>
#include <epan/stat_tap_ui.h>
#include <epan/to_str.h>
#include <epan/tfs.h>
#include <epan/dissectors/packet-tcp.h>
#include <wiretap/wtap.h> /* wtap_rec; epan/packet.h of 4.0 brings it, later ones only name it */

#if WSX_VERSION >= 404
typedef bool wsx_bool;
#else
typedef gboolean wsx_bool;
#define tvb_get_uint8 tvb_get_guint8
#endif

#if WSX_VERSION >= 406
#define WSX_STAT_RETURN bool
#define WSX_STAT_OK return true
#else
#define WSX_STAT_RETURN void
#define WSX_STAT_OK return
#endif

/* What the surfaces register. */
#if WSX_VERSION >= 404
#define WSX_REGISTER_FOLLOW(proto, tap, conv, index, address, port, handler, count)                \
    register_follow_stream(proto, tap, conv, index, address, port, handler, count, NULL)
#define WSX_REGISTER_CONVERSATION_FILTER(proto, name, valid, build)                                \
    register_conversation_filter(proto, name, valid, build, NULL)
#define WSX_CONVERSATION_FILTER_ARGUMENTS packet_info *pinfo, void *user _U_
#define WSX_MENU_SEPARATOR "//"
#else
#define WSX_REGISTER_FOLLOW(proto, tap, conv, index, address, port, handler, count)                \
    register_follow_stream(proto, tap, conv, index, address, port, handler)
#define WSX_REGISTER_CONVERSATION_FILTER(proto, name, valid, build)                                \
    register_conversation_filter(proto, name, valid, build)
#define WSX_CONVERSATION_FILTER_ARGUMENTS packet_info *pinfo
#define WSX_MENU_SEPARATOR "/"
#endif

/* True when somebody asked for this field by name (a filter, -e): a visible tree alone does not count. */
static inline bool wsx_field_wanted(int hf) {
    return proto_registrar_get_nth((unsigned)hf)->ref_type == HF_REF_TYPE_DIRECT;
}

/* A data source's name; wmem_free it from no pool. */
static inline char *wsx_data_source_name(const struct data_source *source) {
#if WSX_VERSION >= 406
    return get_data_source_description(source);
#else
    return get_data_source_name(source);
#endif
}

/* Sets a string value that may hold U+0000; add_string cuts there. Only for an item that is our
 * field's own. */
static inline void wsx_item_set_text(proto_item *item, int hf, const uint8_t *bytes,
                                     size_t length) {
    field_info *info = item ? PITEM_FINFO(item) : NULL;
    if (!info || info->hfinfo->id != hf)
        return;
    wmem_strbuf_t *text = wmem_strbuf_new(NULL, NULL);
    wmem_strbuf_append_len(text, (const char *)bytes, length);
#if WSX_VERSION >= 404
    fvalue_set_strbuf(info->value, text);
#else
    info->value.value.strbuf = text;
#endif
}

#endif
