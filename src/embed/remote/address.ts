/**
 * Which addresses may be called. An operator's configuration names them, but names resolve to anything: every address
 * of a name is checked at every call, and the connection goes to an address that was checked.
 *
 * Never: link-local and metadata addresses, unspecified, multicast, reserved. Loopback and private ones: only where the
 * operator allows private addresses (Ollama, vLLM or TEI in the same network).
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

export interface AddressPolicy {
  allowPrivate: boolean;
  /** Nothing may be called at all. */
  offline: boolean;
}

export type AddressKind = "public" | "private" | "forbidden";
export type Resolve = (host: string) => Promise<string[]>;
export type CheckedAddress =
  | { ok: true; address: string }
  /** `isPassing`: the name service did not answer, which may be otherwise later. */
  | { ok: false; detail: string; isPassing?: true };

/** Names of cloud metadata services; their usual addresses are link-local, but not everywhere. */
const METADATA_HOSTS = [
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "instance-data",
  "instance-data.ec2.internal",
];

export const resolveHost: Resolve = async (host) => {
  return (await lookup(host, { all: true })).map((entry) => entry.address);
};

/** What is wrong with an address as it is written, or null; called when the configuration is read. */
export function addressProblem(text: string): string | null {
  if (!URL.canParse(text)) return `'${text}' is not an address`;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return `'${text}' is neither http nor https`;
  if (url.username !== "" || url.password !== "") return "the address must not hold a user name or password";
  if (url.search !== "" || url.hash !== "") return "the address must not hold a query or a fragment";
  return null;
}

/** Resolves the host of `url` and checks every address that it has. Rejects only with the signal's reason. */
export async function checkAddress(url: URL, policy: AddressPolicy, resolve: Resolve): Promise<CheckedAddress> {
  if (policy.offline) return { ok: false, detail: "outbound connections are switched off (--offline)" };
  const problem = addressProblem(url.href.replace(/[?#].*$/, ""));
  if (problem !== null) return { ok: false, detail: problem };
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (METADATA_HOSTS.includes(host.toLowerCase())) {
    return { ok: false, detail: `'${host}' is a metadata service, which is never called` };
  }
  let addresses: string[];
  try {
    addresses = isIP(host) === 0 ? await resolve(host) : [host];
  } catch {
    return { ok: false, detail: `the name '${host}' cannot be resolved`, isPassing: true };
  }
  for (const address of addresses) {
    const kind = addressKind(address);
    if (kind === "forbidden") return { ok: false, detail: `'${host}' leads to ${address}, which is never called` };
    if (kind === "private" && !policy.allowPrivate) {
      return {
        ok: false,
        detail: `'${host}' leads to the private address ${address}; private addresses are not allowed`,
      };
    }
  }
  const [address] = addresses;
  if (address === undefined) return { ok: false, detail: `the name '${host}' has no address` };
  return { ok: true, address };
}

/** Anything that cannot be read as an address is forbidden. */
export function addressKind(address: string): AddressKind {
  switch (isIP(address)) {
    case 4:
      return kind4(address.split(".").map(Number));
    case 6:
      return kind6(words6(address));
    default:
      return "forbidden";
  }
}

function kind4(parts: number[]): AddressKind {
  const [a = 0, b = 0, c = 0, d = 0] = parts;
  if (a === 0 || a >= 224) return "forbidden"; // unspecified; multicast, reserved, broadcast
  if (a === 169 && b === 254) return "forbidden"; // link-local: metadata services live here
  if (a === 100 && b === 100 && c === 100 && d === 200) return "forbidden"; // Alibaba's metadata service
  if (a === 192 && b === 0 && c === 0 && d === 192) return "forbidden"; // Oracle's metadata service
  if (a === 168 && b === 63 && c === 129 && d === 16) return "forbidden"; // Azure's host service
  if (a === 10 || a === 127 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return "private";
  if (a === 100 && b >= 64 && b < 128) return "private"; // carrier-grade NAT, also used by overlay networks
  if (a === 192 && b === 0 && c === 0) return "forbidden"; // protocol assignments
  if (a === 192 && b === 0 && c === 2) return "forbidden"; // documentation, as the next two
  if (a === 198 && b === 51 && c === 100) return "forbidden";
  if (a === 203 && b === 0 && c === 113) return "forbidden";
  if (a === 198 && (b === 18 || b === 19)) return "private"; // benchmarking
  return "public";
}

function kind6(words: number[] | null): AddressKind {
  if (words === null) return "forbidden";
  const [a = 0, b = 0, c = 0] = words;
  const embedded = (at: number): number[] => {
    const [high = 0, low = 0] = words.slice(at, at + 2);
    return [high >> 8, high & 255, low >> 8, low & 255];
  };
  const leading = (count: number): boolean => words.slice(0, count).every((word) => word === 0);
  if (leading(7)) return words[7] === 1 ? "private" : "forbidden"; // loopback; unspecified and the rest
  if (leading(5) && words[5] === 0xffff) return kind4(embedded(6)); // IPv4-mapped
  if (leading(6)) return kind4(embedded(6)); // IPv4-compatible
  if (a === 0x64 && b === 0xff9b) return c === 0 ? kind4(embedded(6)) : "private"; // NAT64
  if (a === 0x2002) return kind4(embedded(1)); // 6to4
  if (a === 0xfd00 && b === 0x0ec2) return "forbidden"; // Amazon's metadata service
  if ((a & 0xffc0) === 0xfe80 || (a & 0xffc0) === 0xfec0) return "forbidden"; // link-local, site-local
  if ((a & 0xfe00) === 0xfc00) return "private"; // unique local
  if ((a & 0xe000) !== 0x2000) return "forbidden"; // multicast and everything not assigned for use
  if (a === 0x2001 && (b === 0 || b === 0x0db8)) return "forbidden"; // Teredo; documentation
  return "public";
}

/** The eight words of an IPv6 address, or null where it is not written as one (zones included). */
function words6(address: string): number[] | null {
  if (!URL.canParse(`http://[${address}]/`)) return null;
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const read = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const before = read(head);
  if (tail === undefined) return before.length === 8 ? before : null;
  const after = read(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}
