/** The events of a stream, as language models' servers send them, in whatever pieces they come. */

export const EVENT_BOUNDS = {
  /** Bytes of one event at most. */
  event: 4 * 1024 * 1024,
  /** Bytes of a whole stream at most: an answer has some thousand tokens, each in an event of some hundred bytes. */
  stream: 256 * 1024 * 1024,
} as const;

/** More than is ever taken. */
export class TooLongStream extends Error {
  override name = "TooLongStream";
}

/** The `data` of each event, in order; comments and other fields are left out. Linear in the length of the stream. */
export async function* eventData(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  // Pieces of a line that has not ended: joined once, whatever their number.
  let open: string[] = [];
  let openLength = 0;
  let total = 0;
  let data: string[] = [];
  const take = function* (line: string): Generator<string> {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (text === "") {
      if (data.length > 0) yield data.join("\n");
      data = [];
    } else if (text.startsWith("data:")) data.push(text.slice(text[5] === " " ? 6 : 5));
  };
  for await (const piece of pieces) {
    total += piece.length;
    if (total > EVENT_BOUNDS.stream) throw new TooLongStream();
    const lines = decoder.decode(piece, { stream: true }).split("\n");
    const last = lines.pop() ?? "";
    for (const line of lines) {
      yield* take([...open, line].join(""));
      open = [];
      openLength = 0;
    }
    open.push(last);
    openLength += last.length;
    if (openLength > EVENT_BOUNDS.event) throw new TooLongStream();
  }
  yield* take([...open, decoder.decode()].join(""));
  // Some end without the empty line.
  if (data.length > 0) yield data.join("\n");
}
