// An example for recording (CONTRIBUTING.md, "Add a capture of a real program"): a server and a client, each of
// which logs what its library gives it as lines of a truth file. Needs the npm package ws.
//
// SPDX-License-Identifier: GPL-2.0-or-later
import { WebSocketServer, WebSocket } from "ws";
import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
const sha = (b) => createHash("sha256").update(b).digest("hex");
const log = (dir, type, b, more = {}) => appendFileSync("log.jsonl", JSON.stringify(
    { conn: 0, dir, type, len: b.length, sha256: sha(b), seen: "recv", ...more }) + "\n");
const close = (code, reason) => Buffer.concat([Buffer.from([code >> 8, code & 255]), reason]);
const server = new WebSocketServer({ port: 9000 });
server.on("connection", (peer) => {
    peer.on("message", (data, binary) => { log("c2s", binary ? "binary" : "text", data); peer.send(data, { binary }); });
    peer.on("ping", (data) => log("c2s", "ping", data));
    peer.on("close", (code, reason) => { log("c2s", "close", close(code, reason), { code, reason: String(reason) }); server.close(); });
});
const client = new WebSocket("ws://127.0.0.1:9000/");
client.on("open", () => { client.send("hello"); client.ping("p"); client.send(Buffer.from([1, 2, 3])); });
let seen = 0;
client.on("message", (data, binary) => { log("s2c", binary ? "binary" : "text", data); if (++seen === 2) client.close(1000, "done"); });
client.on("pong", (data) => log("s2c", "pong", data));
client.on("close", (code, reason) => log("s2c", "close", close(code, reason), { code, reason: String(reason) }));
