import { eventStreamOf } from "../../http/event-stream.ts";
import type { ResponseEvent } from "./events.ts";

/** A comment after so much silence keeps proxies from closing the connection. */
const SILENCE_MS = 15_000;

/** An answer's events as a body: made when the client takes them, ended when it leaves. */
export function eventStream(events: (signal: AbortSignal) => AsyncGenerator<ResponseEvent>): Response {
  const gone = new AbortController();
  const encoder = new TextEncoder();
  const source = events(gone.signal);
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
        controller.enqueue(encoder.encode(`event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`));
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
