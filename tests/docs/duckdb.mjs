// The part of DuckDB's command line that docs/many.md uses, on the npm package @duckdb/node-api:
//     duckdb.mjs -csv [-init FILE] -c SQL
// NODE_PATH does not count for modules of this kind: WSX_DUCKDB is the folder that has node_modules.
//
// SPDX-License-Identifier: GPL-2.0-or-later
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.WSX_DUCKDB, "package.json"));
const { DuckDBInstance } = require("@duckdb/node-api");

function quoted(value) {
    const text = value === null ? "" : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const words = process.argv.slice(2);
const after = (option) => words[words.indexOf(option) + 1];
if (!words.includes("-csv") || !words.includes("-c")) {
    throw new Error("usage: duckdb -csv [-init FILE] -c SQL");
}
const connection = await (await DuckDBInstance.create(":memory:")).connect();
if (words.includes("-init")) {
    await connection.run(readFileSync(after("-init"), "utf8"));
}
const result = await connection.runAndReadAll(after("-c"));
console.log(result.columnNames().map(quoted).join(","));
for (const row of result.getRows()) {
    console.log(row.map(quoted).join(","));
}
