/*
 * transport.h - the entry points: what Wireshark calls with bytes of a connection, and the packets'
 * end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_TRANSPORT_H
#define WSX_EPAN_TRANSPORT_H

#include "compat.h"

extern wsx_bool wsx_enhanced; /* preference websocket.enhanced */
extern int wsx_tap;

/* Creates the handles and the postdissector. At registration. */
void wsx_transport_register(void);
/* Takes over http.upgrade and Decode As. In the handoff. */
void wsx_transport_handoff(void);

/* From the next packet on TCP calls us for this conversation. */
void wsx_transport_take_tcp(packet_info *pinfo);

/* upgrade.c: looks for a request or a response in a packet that holds HTTP. First pass. trailing:
 * in the response packet, right when the first bytes behind it arrive. */
void wsx_upgrade_scan(packet_info *pinfo);

#endif
