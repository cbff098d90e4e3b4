/** Answers whose body is a stream of server-sent events. */
export const EVENT_STREAM = "text/event-stream";

export function isEventStream(headers: Headers): boolean {
  return headers.get("content-type")?.startsWith(EVENT_STREAM) === true;
}

/** @param caching what those between the server and the client may keep: OpenAI's own streams say `no-cache` */
export function eventStreamOf(body: ReadableStream<Uint8Array>, caching: "no-store" | "no-cache"): Response {
  return new Response(body, {
    headers: {
      "content-type": `${EVENT_STREAM}; charset=utf-8`,
      "cache-control": caching,
      // A proxy that collects an answer before it passes it on would hold events back.
      "x-accel-buffering": "no",
    },
  });
}
