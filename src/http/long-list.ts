import { nextTurn } from "../platform/next-turn.ts";

/** Characters that are written in one turn of the event loop, about: a millisecond or two. */
const TURN_CHARACTERS = 256 * 1024;

/**
 * An answer with a long list in it, `{…before, "data": […], …after}`, written piece by piece while others have their turns.
 * As many bytes as `JSON.stringify` gives of the whole.
 */
export function longList(
  before: Readonly<Record<string, unknown>>,
  data: readonly unknown[],
  after: Readonly<Record<string, unknown>>,
): Response {
  const encoder = new TextEncoder();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let text = `{${membersOf(before, "", ",")}"data":[`;
    for (const [i, item] of data.entries()) {
      text += (i === 0 ? "" : ",") + JSON.stringify(item);
      if (text.length < TURN_CHARACTERS) continue;
      yield encoder.encode(text);
      text = "";
      await nextTurn();
    }
    yield encoder.encode(`${text}]${membersOf(after, ",", "")}}`);
  }
  const written = pieces();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await written.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** The members of an object as JSON, each with what comes before and after it. */
function membersOf(object: Readonly<Record<string, unknown>>, before: string, after: string): string {
  return Object.entries(object)
    .map(([key, value]) => `${before}${JSON.stringify(key)}:${JSON.stringify(value)}${after}`)
    .join("");
}
