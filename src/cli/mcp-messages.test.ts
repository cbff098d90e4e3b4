import { describe, expect, test } from "bun:test";
import { modernHeaders, readAnswer, readLine } from "./mcp-messages.ts";

describe("a line is", () => {
  test.each<[line: string, expected: object]>([
    ['{"jsonrpc":"2.0","id":1,"method":"ping"}', { type: "request", message: { id: 1, method: "ping", params: {} } }],
    ['{"id":"a","method":"x","params":[1]}', { type: "request", message: { id: "a", params: {} } }],
    ['{"method":"notifications/initialized"}', { type: "notification" }],
    ['{"method":"notifications/cancelled","params":{"requestId":3}}', { type: "cancel", id: 3 }],
    ['{"method":"notifications/cancelled","params":{"requestId":{}}}', { type: "notification" }],
    ["{bad", { type: "wrong", answer: { id: null, error: { code: -32700 } } }],
    ["[]", { type: "wrong", answer: { id: null, error: { code: -32600 } } }],
    ["7", { type: "wrong", answer: { id: null, error: { code: -32600 } } }],
    ['{"id":5}', { type: "wrong", answer: { id: 5, error: { code: -32600 } } }],
  ])("%s", (line, expected) => {
    expect(readLine(line)).toMatchObject(expected);
  });
});

describe("headers", () => {
  const headersOf = (method: string, params: object) => {
    const read = readLine(JSON.stringify({ id: 1, method, params }));
    return read.type === "request" ? modernHeaders(read.message) : null;
  };
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };

  test("of the newer revisions repeat what the message says, in base64 where it does not fit", () => {
    expect(headersOf("tools/list", {})).toEqual({});
    expect(headersOf("tools/list", { _meta })).toEqual({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/list",
    });
    expect(headersOf("tools/call", { _meta, name: "search" })).toMatchObject({ "mcp-name": "search" });
    expect(headersOf("resources/read", { _meta, uri: "a:b" })).toMatchObject({ "mcp-name": "a:b" });
    for (const name of ["ü", "a\r\nb: c", " a", "=?base64?x?="])
      expect(headersOf("tools/call", { _meta, name })).toMatchObject({
        "mcp-name": `=?base64?${Buffer.from(name).toString("base64")}?=`,
      });
  });
});

test("an answer gets the id of its message, and what is none is told as a failure", () => {
  const url = "http://127.0.0.1:1";
  const read = (status: number, text: string) => readAnswer("a", { status, text, url });
  expect(read(200, '{"jsonrpc":"2.0","id":"a","result":{}}')).toEqual({ jsonrpc: "2.0", id: "a", result: {} });
  expect(read(401, '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"m"}}')).toMatchObject({
    id: "a",
    error: { message: "m" },
  });
  expect(read(404, '{"error":{"message":"Invalid URL"}}')).toMatchObject({
    id: "a",
    error: { code: -32603, message: expect.stringContaining("serves no MCP") },
  });
  expect(read(200, "<html>")).toMatchObject({ error: { message: expect.stringContaining("HTTP 200") } });
});
