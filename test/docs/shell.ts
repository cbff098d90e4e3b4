/** One shell in which the commands of a document run one after the other, as a reader would type them. */
export interface Shell extends Disposable {
  /** Runs a command to its end. */
  run(command: string): Promise<{ status: number; out: string; err: string }>;
}

const DONE = "\u0001done";

export function openShell(cwd: string, env: Record<string, string>): Shell {
  const child = Bun.spawn({
    cmd: ["bash", "--noprofile", "--norc"],
    cwd,
    env,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const out = untilDone(child.stdout);
  const err = untilDone(child.stderr);
  return {
    async run(command) {
      // The end of a command is written to both streams, so that nothing of it is read as the next one's.
      void child.stdin.write(`${command}\ns=$?; printf '\\1done %d\\n' $s; printf '\\1done %d\\n' $s >&2\n`);
      await child.stdin.flush();
      const [printed, complained] = await Promise.all([out(), err()]);
      return { status: printed.status, out: printed.text, err: complained.text };
    },
    [Symbol.dispose]: () => child.kill("SIGKILL"),
  };
}

function untilDone(stream: ReadableStream<Uint8Array>): () => Promise<{ text: string; status: number }> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return async () => {
    for (;;) {
      const found = new RegExp(`${DONE} (\\d+)\n`).exec(text);
      if (found !== null) {
        const before = text.slice(0, found.index);
        text = text.slice(found.index + found[0].length);
        return { text: before, status: Number(found[1]) };
      }
      const { value, done } = await reader.read();
      if (done) throw new Error(`the shell ended; it printed\n${text}`);
      text += decoder.decode(value, { stream: true });
    }
  };
}
