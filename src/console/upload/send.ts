import { type Api, ApiError, errorOf } from "../api.ts";
import type { OpenAIFile } from "../../api/stored-files/schema.ts";

const MIB = 1024 * 1024;
/** Larger files go in parts, so that a failure costs a part and not the whole. */
const WHOLE_BYTES = 64 * MIB;
const PART_BYTES = 32 * MIB;

/** Parts of a large file that are there already, kept from one attempt to the next. */
export interface Resume {
  upload: string | null;
  parts: string[];
}

export interface Sending {
  file: File;
  resume: Resume;
  onProgress: (bytes: number) => void;
  signal: AbortSignal;
}

/** Uploads a file; resolves to its id. */
export async function sendFile(api: Api, sending: Sending): Promise<string> {
  const { file } = sending;
  if (file.size > WHOLE_BYTES) return await sendInParts(api, sending);
  const form = new FormData();
  form.append("purpose", "assistants");
  form.append("file", file, file.name);
  return (await sendForm<OpenAIFile>(api, "files", form, sending)).id;
}

async function sendInParts(api: Api, sending: Sending): Promise<string> {
  const { file, resume, onProgress, signal } = sending;
  if (resume.upload === null) {
    const asked = { filename: file.name, purpose: "assistants", bytes: file.size };
    const mime = { mime_type: file.type || "application/octet-stream" };
    resume.upload = (await api.send<{ id: string }>("POST", "uploads", { ...asked, ...mime }, signal)).id;
    resume.parts = [];
  }
  const path = `uploads/${resume.upload}`;
  try {
    for (let at = resume.parts.length * PART_BYTES; at < file.size; at = resume.parts.length * PART_BYTES) {
      const form = new FormData();
      form.append("data", file.slice(at, at + PART_BYTES));
      const before = at;
      const part = await sendForm<{ id: string }>(api, `${path}/parts`, form, {
        signal,
        onProgress: (bytes) => onProgress(before + bytes),
      });
      resume.parts.push(part.id);
    }
    const done = await api.send<{ file: OpenAIFile }>("POST", `${path}/complete`, { part_ids: resume.parts }, signal);
    return done.file.id;
  } catch (error) {
    // It ends by itself after an hour; then all begins anew.
    if (error instanceof ApiError && (error.status === 404 || error.code === "upload_not_pending"))
      resume.upload = null;
    throw error;
  }
}

/** A form, with the bytes that have left: `fetch` does not tell. */
export function sendForm<T>(
  api: Api,
  path: string,
  form: FormData,
  { onProgress, signal }: Pick<Sending, "onProgress" | "signal">,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open("POST", api.base + path);
    request.setRequestHeader("authorization", `Bearer ${api.key}`);
    request.setRequestHeader("x-vector-dialect", "openai");
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => {
      if (request.status === 200) resolve(JSON.parse(request.responseText) as T);
      else reject(errorOf(request.responseText, request.status, (name) => request.getResponseHeader(name)));
    };
    request.onerror = () => reject(new ApiError("", { status: 0, code: "unreachable", requestId: "" }));
    request.onabort = () => reject(new Error("cancelled"));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    else request.send(form);
  });
}

/** SHA-256 in hexadecimal, where the browser computes it: not on a page that came over plain HTTP from elsewhere. */
export async function sha256Of(file: File): Promise<string | null> {
  if (file.size > WHOLE_BYTES || !isSecureContext) return null;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
