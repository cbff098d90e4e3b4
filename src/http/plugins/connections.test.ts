import { expect, test } from "bun:test";
import { AppError } from "../../errors.ts";
import type { DescriptorRoom } from "../../platform/descriptors.ts";
import { closeWithAnswer, refuseFull, streamsWithRoom } from "./connections.ts";
import { asAppError, errorResponse } from "./errors.ts";
import { streamLimit } from "./limits.ts";

function codeOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

const REFUSED = "too_many_connections";

test.each<[room: DescriptorRoom, request: string | null, stream: string | null, closes: boolean]>([
  ["free", null, null, false],
  ["near", null, REFUSED, true],
  ["full", REFUSED, REFUSED, true],
])("where the room is %s: a request %s, a stream %s, closing %s", (now, request, stream, closes) => {
  const room = () => now;
  const streams = streamsWithRoom(
    streamLimit({ perKey: null, perTenant: null }, () => {}),
    room,
  );
  const headers = new Headers();
  closeWithAnswer(headers, room);
  const begin = () => streams.enter({ keyId: "key_1", tenantId: "ten_1" });
  expect([codeOf(() => refuseFull(room)), codeOf(begin), headers.get("connection") === "close"]).toEqual([
    ...[request, stream, closes],
  ]);
});

test.each(["EMFILE", "ENFILE"])("work that found none left is to be tried again: %s", (code) => {
  const error = asAppError(Object.assign(new Error("open"), { code }));
  const { status, headers } = errorResponse(error, "openai");
  expect([status, headers.get("retry-after"), headers.get("x-should-retry")]).toEqual([503, "5", null]);
  expect(asAppError(Object.assign(new Error("open"), { code: "ENOENT" })).code).toBe("internal_error");
});
