import { AppError } from "../errors.ts";
import type { BytesLimit } from "./body-limit.ts";

export interface RawBody {
  limit: BytesLimit;
  sink: (chunk: Uint8Array) => Promise<void>;
  /** Aborted, with what is thrown then, when the rest is not wanted any more: whoever is slow is waited for no longer. */
  unwanted: AbortSignal;
}

/**
 * Hands a body that is one file to `sink`, chunk by chunk with back pressure.
 * @throws AppError `payload_too_large`, `invalid_value` where the body breaks off, and the reason of `unwanted`.
 */
export async function readRawBody({ headers, body }: Request, { limit, sink, unwanted }: RawBody): Promise<void> {
  if (Number(headers.get("content-length") ?? "NaN") > limit.bytes) throw tooLarge(limit);
  if (body === null) return;
  const reader = body.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  unwanted.addEventListener("abort", stop, { once: true });
  try {
    let bytes = 0;
    for (;;) {
      unwanted.throwIfAborted();
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new AppError("invalid_value", "The body of the request is cut short.", { cause });
      });
      unwanted.throwIfAborted();
      if (done) return;
      bytes += value.byteLength;
      if (bytes > limit.bytes) throw tooLarge(limit);
      await sink(value);
    }
  } catch (error) {
    stop();
    throw error;
  } finally {
    unwanted.removeEventListener("abort", stop);
  }
}

function tooLarge({ bytes }: BytesLimit): AppError {
  const mib = Math.floor(bytes / 1024 / 1024);
  const most = mib >= 1 ? `${mib} MiB` : `${bytes} bytes`;
  return new AppError("payload_too_large", `The file is too large: at most ${most} are accepted here.`);
}
