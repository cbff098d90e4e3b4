import { type Api, ApiError } from "./api.ts";

/** How browsers that can write to a file of the user's choice are asked for one. */
type SavePicker = (options: { suggestedName: string }) => Promise<{
  createWritable(): Promise<WritableStream<Uint8Array<ArrayBuffer>>>;
}>;

export interface Download {
  path: string;
  name: string;
  signal: AbortSignal;
  /** Bytes so far. */
  onBytes: (bytes: number) => void;
}

/**
 * Saves an answer of any length. Where the browser lets a page write to a file the bytes go there as they come; elsewhere
 * the browser keeps them until all are there. False where the user chose no file.
 */
export async function download(api: Api, { path, name, signal, onBytes }: Download): Promise<boolean> {
  const pick = (globalThis as { showSaveFilePicker?: SavePicker }).showSaveFilePicker;
  let bytes = 0;
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      onBytes(bytes);
      controller.enqueue(chunk);
    },
  });
  if (pick !== undefined) {
    // Asked for in the turn of the click: later the browser refuses.
    const file = await pick({ suggestedName: name }).catch(notChosen);
    if (file === null) return false;
    const body = await bodyOf(api, path, signal);
    await body.pipeThrough(counting).pipeTo(await file.createWritable(), { signal });
    return true;
  }
  const body = await bodyOf(api, path, signal);
  save(await new Response(body.pipeThrough(counting, { signal })).blob(), name);
  return true;
}

async function bodyOf(api: Api, path: string, signal: AbortSignal) {
  const { body } = await api.stream(path, signal);
  if (body === null) throw new ApiError("", { status: 0, code: "unreachable", requestId: "" });
  return body;
}

function notChosen(error: unknown): null {
  if (error instanceof DOMException && error.name === "AbortError") return null;
  throw error;
}

/** Under its own name, as bytes: it is never opened as a page, which would run as this one. */
export function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
