/** A body of server-sent events that are made when the client takes them, and ended when it leaves. */
import { eventStreamOf } from "./event-stream.ts";

/** A comment after so much silence keeps proxies from closing the connection. */
const SILENCE_MS = 15_000;

export interface Frame {
  event: string;
  /** An object is sent as JSON, a text as it is: one line. */
  data: object | string;
}

/** `frames` is told by its signal that the client has left. */
export function frameStream(frames: (gone: AbortSignal) => AsyncGenerator<Frame>): Response {
  const gone = new AbortController();
  const encoder = new TextEncoder();
  const source = frames(gone.signal);
  let heartbeat: Timer | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      heartbeat = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(": keep-alive\n\n"));
      }, SILENCE_MS);
    },
    async pull(controller) {
      const { value, done } = await source.next().catch((error: unknown) => {
        clearInterval(heartbeat);
        throw error;
      });
      if (done !== true) {
        heartbeat?.refresh();
        const { event, data } = value;
        const line = typeof data === "string" ? data : JSON.stringify(data);
        controller.enqueue(encoder.encode(`event: ${event}\ndata: ${line}\n\n`));
        return;
      }
      clearInterval(heartbeat);
      if (!gone.signal.aborted) controller.close();
    },
    async cancel() {
      clearInterval(heartbeat);
      gone.abort();
      await source.return(undefined);
    },
  });
  return eventStreamOf(body, "no-cache");
}
