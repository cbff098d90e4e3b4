import { AppError } from "../../errors.ts";
import type { DescriptorRoom } from "../../platform/descriptors.ts";
import type { StreamLimit } from "./limits.ts";

/**
 * What is left of the descriptors that the process may have open. Every connection takes one, and so does every file: where
 * connections took the last, no file could be opened any more.
 */
export type Room = () => DescriptorRoom;

const RETRY_SECONDS = 5;

/** @throws AppError `too_many_connections` where the rest is left for files. */
export function refuseFull(room: Room): void {
  if (room() === "full") throw outOfDescriptors();
}

/** Streams last, so that none is begun where connections that do not last still have room. */
export function streamsWithRoom(streams: StreamLimit, room: Room): StreamLimit {
  return {
    enter(caller) {
      if (room() !== "free") throw outOfDescriptors();
      return streams.enter(caller);
    },
  };
}

export function outOfDescriptors(cause?: unknown): AppError {
  return new AppError(
    "too_many_connections",
    "The server has nearly as many connections and files open as its system allows. Try again shortly; close streams and connections that are not needed.",
    { retryAfterSeconds: RETRY_SECONDS, cause },
  );
}

/** A connection that is closed after its answer makes room. */
export function closeWithAnswer(headers: Headers, room: Room): void {
  if (room() !== "free") headers.set("connection", "close");
}
