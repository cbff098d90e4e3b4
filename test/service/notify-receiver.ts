/** The other end of NOTIFY_SOCKET: a Unix socket that takes datagrams, which Bun itself does not offer. Linux. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { waitFor } from "../helpers/wait.ts";

export interface NotifyReceiver extends Disposable {
  /** Every message so far. */
  messages(): string[];
  /** Waits until a message came that `isWanted`; `at` is its place among all. */
  until(what: string, isWanted: (message: string, at: number) => boolean): Promise<string>;
}

const MSG_DONTWAIT = 0x40;

/** `path` as in NOTIFY_SOCKET: `@` stands for a name that is in no file system. */
export function receiveNotes(path: string): NotifyReceiver {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
    recv: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i64 },
    close: { args: [FFIType.i32], returns: FFIType.i32 },
  });
  const file = symbols.socket(1, 2, 0);
  const name = new TextEncoder().encode(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  const address = new Uint8Array([1, 0, ...name]);
  if (symbols.bind(file, ptr(address), address.length) !== 0) throw new Error(`cannot listen on ${path}`);
  const seen: string[] = [];
  const buffer = new Uint8Array(8192);
  const messages = () => {
    for (;;) {
      const bytes = Number(symbols.recv(file, ptr(buffer), buffer.length, MSG_DONTWAIT));
      if (bytes <= 0) return seen;
      seen.push(new TextDecoder().decode(buffer.subarray(0, bytes)));
    }
  };
  return {
    messages,
    until: (what, isWanted) => waitFor(what, () => messages().find(isWanted), 30_000),
    [Symbol.dispose]: () => void symbols.close(file),
  };
}
