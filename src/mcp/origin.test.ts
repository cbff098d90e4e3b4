import { expect, test } from "bun:test";
import { AppError } from "../errors.ts";
import { refuseForeign } from "./origin.ts";

const LOOPBACK = { host: "127.0.0.1", publicUrl: "https://docs.example/lectern", corsOrigins: ["https://app.example"] };
const EVERYWHERE = { ...LOOPBACK, host: "0.0.0.0" };
const NAMED = { ...LOOPBACK, host: "house.lan" };

type Headers = Record<string, string>;

function outcome(headers: Headers, own: typeof LOOPBACK): string {
  try {
    refuseForeign(new globalThis.Headers(headers), own);
    return "let in";
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.code;
  }
}

test.each<[headers: Headers, own: typeof LOOPBACK]>([
  [{}, LOOPBACK],
  [{ host: "127.0.0.1:8080" }, LOOPBACK],
  [{ host: "localhost" }, LOOPBACK],
  [{ host: "[::1]:8080", origin: "http://[::1]:3000" }, LOOPBACK],
  [{ host: "docs.example", origin: "https://docs.example" }, LOOPBACK],
  [{ host: "127.0.0.1", origin: "http://localhost:5173" }, LOOPBACK],
  [{ host: "127.0.0.1", origin: "https://app.example" }, LOOPBACK],
  [{ host: "anything.example" }, EVERYWHERE],
  [{ host: "house.lan", origin: "http://house.lan:9000" }, NAMED],
  [{ origin: "http://evil.example" }, { ...LOOPBACK, corsOrigins: ["*"] }],
])("%j is let in", (headers, own) => {
  expect(outcome(headers, own)).toBe("let in");
});

test.each<[headers: Headers, own: typeof LOOPBACK]>([
  [{ origin: "http://evil.example" }, LOOPBACK],
  [{ origin: "http://evil.example" }, EVERYWHERE],
  [{ origin: "null" }, LOOPBACK],
  [{ origin: "http://docs.example" }, LOOPBACK],
  [{ origin: "https://docs.example.evil.example" }, LOOPBACK],
  [{ origin: "http://localhost.evil.example" }, LOOPBACK],
  [{ origin: "http://127.0.0.1.evil.example" }, LOOPBACK],
  [{ host: "evil.example" }, LOOPBACK],
  [{ host: "127.0.0.1.evil.example:8080" }, LOOPBACK],
])("%j is refused", (headers, own) => {
  expect(outcome(headers, own)).toBe("permission_denied");
});
