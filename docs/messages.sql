-- The JSON Lines of `-z websocket,messages` as a table, for DuckDB. Columns are the keys of
-- jsonlines.schema.json; those that a line does not have are NULL. Files: out/*.jsonl. A line longer than 32 MiB
-- is an error: raise maximum_object_size then, of which each thread takes a multiple.
CREATE VIEW lines AS SELECT * FROM read_json('out/*.jsonl', format = 'newline_delimited', filename = true,
    maximum_object_size = 33554432, columns = {
    kind: 'VARCHAR', stream: 'BIGINT', packet: 'BIGINT', time: 'DECIMAL(19,9)', rules: 'VARCHAR[]',
    dir: 'VARCHAR', index: 'BIGINT', len: 'UBIGINT', incomplete: 'BOOLEAN', have: 'UBIGINT',
    client: 'VARCHAR', server: 'VARCHAR', http: 'VARCHAR', transport_stream: 'BIGINT', stream_id: 'BIGINT',
    uri: 'VARCHAR', subprotocol: 'VARCHAR', extensions: 'VARCHAR', status: 'INTEGER', midstream: 'BOOLEAN',
    first_packet: 'BIGINT', frames: 'BIGINT', wire_len: 'UBIGINT', compressed: 'BOOLEAN', text: 'VARCHAR',
    base64: 'VARCHAR', raw: 'BOOLEAN', app: 'JSON', opcode: 'INTEGER', rtt: 'DOUBLE', code: 'INTEGER',
    reason: 'VARCHAR', missing: 'UBIGINT', cause: 'VARCHAR'});
-- A connection is a stream of a file.
CREATE VIEW connections AS
SELECT o.filename, o.stream, o.client, o.server, o.uri, o.subprotocol, o.time AS began, e.time - o.time AS seconds, e.cause
FROM lines o LEFT JOIN lines e ON e.filename = o.filename AND e.stream = o.stream AND e.kind = 'end'
WHERE o.kind = 'open';
