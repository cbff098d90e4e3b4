/** What must not be: an answer that differs from what the client knows, or a refusal without a reason. */
export class Wrong extends Error {
  override name = "Wrong";
}

/** The server was killed, stopped or without space while something was asked: what came of it is not known. */
export class Interrupted extends Error {
  override name = "Interrupted";
}

/** Deep, by JSON; says what differs. */
export function same(what: string, got: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Wrong(`${what}: ${a?.slice(0, 600)} in place of ${b?.slice(0, 600)}`);
}

export function must(what: string, isSo: boolean, detail: unknown = ""): void {
  if (!isSo) throw new Wrong(`${what}: ${JSON.stringify(detail)?.slice(0, 800)}`);
}
