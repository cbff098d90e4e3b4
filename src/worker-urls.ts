/**
 * Addresses of the worker entries. This file must stay beside main.ts: in the compiled binary every bundled module
 * has the bundle's root as its URL, so only a file at the same depth resolves to the same place from source and binary.
 */
export const parseWorkerUrl = new URL("./parse-entry.ts", import.meta.url);
export const nativeWorkerUrl = new URL("./native-entry.ts", import.meta.url);
export const textWorkerUrl = new URL("./text-entry.ts", import.meta.url);
export const ocrWorkerUrl = new URL("./ocr-entry.ts", import.meta.url);
export const imageWorkerUrl = new URL("./image-entry.ts", import.meta.url);

/** The program's own entry, for those that call it again as a process of its own. */
export const mainUrl = new URL("./main.ts", import.meta.url);

/** The verb that main.ts answers as a worker, with one of the names below; people are not told of it. */
export const WORKER_VERB = "worker-process";
export type WorkerEntry = "parse" | "native" | "ocr" | "image";
export const WORKER_ENTRIES: Readonly<Record<WorkerEntry, URL>> = {
  parse: parseWorkerUrl,
  native: nativeWorkerUrl,
  ocr: ocrWorkerUrl,
  image: imageWorkerUrl,
};
