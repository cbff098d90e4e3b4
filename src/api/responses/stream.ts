import { type Frame, frameStream } from "../../http/frames.ts";
import type { ResponseEvent } from "./events.ts";

/** An answer's events as a body: made when the client takes them, ended when it leaves. */
export function eventStream(events: (signal: AbortSignal) => AsyncGenerator<ResponseEvent>): Response {
  return frameStream((gone) => framed(events(gone)));
}

async function* framed(events: AsyncGenerator<ResponseEvent>): AsyncGenerator<Frame> {
  for await (const event of events) yield { event: event.type, data: JSON.stringify(event) };
}
