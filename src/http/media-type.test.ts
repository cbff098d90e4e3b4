import { expect, test } from "bun:test";
import { safeMime } from "./media-type.ts";

test.each([
  ["text/plain", "text/plain"],
  ["Text/HTML; charset=utf-8", "text/html"],
  ["application/vnd.ms-excel", "application/vnd.ms-excel"],
  ["text/plain\r\nx-more: 1", null],
  ["\u2603/x", null],
  ["text/plain x", null],
  ["text", null],
  ["", null],
  [`text/${"x".repeat(200)}`, null],
])("%j as a media type is %j", (sent, expected) => {
  expect(safeMime(sent)).toBe(expected);
});
