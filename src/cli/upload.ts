/** Sends a file as OpenAI's form does, and tells how far it is. */
import { Type } from "@sinclair/typebox";
import type { Client, StreamedBody } from "./client.ts";

const Uploaded = Type.Object({ id: Type.String() });

export interface Upload {
  path: string;
  filename: string;
  /** Bytes of the file that are on their way, from time to time. */
  onSent: (bytes: number) => void;
  /** How long after an interrupt the server may take to say what became of a file that it has in full. */
  answerMs?: number;
}

/**
 * The file's id, and the digest of the bytes that went out, which are not those that were read before if somebody
 * writes to the file. Throws when `signal` aborts, unless the whole file is on its way by then: the server may have
 * kept it, so its answer is waited for, though not for ever.
 */
export async function uploadFile(
  client: Client,
  upload: Upload,
  signal: AbortSignal,
): Promise<{ id: string; sha256: string }> {
  const body = new FileForm(upload);
  const stop = new AbortController();
  let patience: Timer | undefined;
  const onAbort = () => {
    if (body.isRead) patience = setTimeout(() => stop.abort(signal.reason), upload.answerMs ?? ANSWER_MS);
    else stop.abort(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const { id } = await client.send(Uploaded, "POST", "/v1/files", body, stop.signal);
    return { id, sha256: body.sha256 };
  } catch (error) {
    if (body.isCut) throw new Error("The file became shorter while it was read.", { cause: error });
    throw error;
  } finally {
    clearTimeout(patience);
    signal.removeEventListener("abort", onAbort);
  }
}

const ANSWER_MS = 10_000;

class FileForm implements StreamedBody {
  readonly headers: Record<string, string>;
  /** Every byte has been handed over. */
  isRead = false;
  /** The file has become shorter than what was announced. */
  isCut = false;
  sha256 = "";
  readonly #upload: Upload;
  readonly #head: Uint8Array;
  readonly #tail: Uint8Array;
  readonly #size: number;

  constructor(upload: Upload) {
    this.#upload = upload;
    const boundary = `lectern-${crypto.randomUUID()}`;
    // Escaped as browsers do (HTML, "multipart/form-data encoding algorithm").
    const name = upload.filename.replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
    const file = Bun.file(upload.path);
    const encoder = new TextEncoder();
    this.#head = encoder.encode(
      `--${boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n` +
        `Content-Type: ${file.type || "application/octet-stream"}\r\n\r\n`,
    );
    this.#tail = encoder.encode(`\r\n--${boundary}--\r\n`);
    this.#size = file.size;
    this.headers = {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(this.#head.length + this.#size + this.#tail.length),
    };
  }

  async *open(): AsyncGenerator<Uint8Array> {
    const hasher = new Bun.CryptoHasher("sha256");
    let sent = 0;
    this.isRead = false;
    yield this.#head;
    for await (const piece of Bun.file(this.#upload.path).slice(0, this.#size).stream()) {
      hasher.update(piece);
      yield piece;
      this.#upload.onSent((sent += piece.length));
    }
    this.isCut = sent < this.#size;
    if (this.isCut) throw new Error("cut");
    this.sha256 = hasher.digest("hex");
    this.isRead = true;
    yield this.#tail;
  }
}
