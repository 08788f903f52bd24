// Holds an HTTP Archive against the schema of npm's har-schema: exits with 1 and says what is wrong.
//     NODE_PATH=.../node_modules node har_schema.js FILE
//
// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
const fs = require("fs");
const Ajv = require("ajv");
const schemas = require("har-schema");

const ajv = new Ajv({ allErrors: true });
ajv.addMetaSchema(require("ajv/lib/refs/json-schema-draft-06.json"));
ajv.addSchema(Object.values(schemas));
const validate = ajv.getSchema("har.json");
const archive = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
if (!validate(archive)) {
    for (const error of validate.errors)
        console.log(`${error.dataPath} ${error.message}`);
    process.exit(1);
}
console.log(`valid: ${archive.log.entries.length} entries`);
