/**
 * Datagrams to a Unix socket, which neither Bun nor Node sends: the one place that calls the system's C library, and only
 * where a service manager has named its socket.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

export interface NotifySocket {
  /** Whether the message was taken. Without `mayWait` it is dropped where the other end is too busy to take it now. */
  send(text: string, mayWait: boolean): boolean;
  /** Microseconds of the clock that service managers compare with. */
  monotonicMicroseconds(): bigint;
}

const FUNCTIONS = {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  sendto: {
    args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
    returns: FFIType.i64,
  },
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
} as const;

// Linux, every architecture that is built for.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;
/** `sun_path` of the system's `sockaddr_un`. */
const MOST_PATH_BYTES = 108;

/** GNU's C library, then musl's. */
const LIBRARIES = ["libc.so.6", "libc.so", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

/** `path` begins with `/`, or with `@` for a name that is in no file system. Null where it is neither, or cannot be used. */
export function openNotifySocket(path: string): NotifySocket | null {
  const address = addressOf(path);
  const library = address === null ? null : loadLibrary();
  if (address === null || library === null) return null;
  const { socket, sendto, clock_gettime: readClock } = library;
  const file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (file < 0) return null;
  return {
    send(text, mayWait) {
      const bytes = new TextEncoder().encode(text);
      const flags = MSG_NOSIGNAL | (mayWait ? 0 : MSG_DONTWAIT);
      return Number(sendto(file, ptr(bytes), bytes.length, flags, ptr(address), address.length)) === bytes.length;
    },
    monotonicMicroseconds() {
      const time = new BigInt64Array(2);
      readClock(CLOCK_MONOTONIC, ptr(time));
      const [seconds = 0n, nanoseconds = 0n] = time;
      return seconds * 1_000_000n + nanoseconds / 1000n;
    },
  };
}

/** `sockaddr_un`: the family, then the path with a zero at its end; a name without a file has the zero in front. */
function addressOf(path: string): Uint8Array | null {
  if (!path.startsWith("/") && !path.startsWith("@")) return null;
  const name = new TextEncoder().encode(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > MOST_PATH_BYTES) return null;
  return new Uint8Array([AF_UNIX, 0, ...name]);
}

function loadLibrary() {
  for (const name of LIBRARIES) {
    try {
      return dlopen(name, FUNCTIONS).symbols;
    } catch {
      // Not this one.
    }
  }
  return null;
}
