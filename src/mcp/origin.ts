import { AppError } from "../errors.ts";

/**
 * Pages of other sites, and names that were made to lead to this machine (DNS rebinding), are refused although nobody
 * comes in without a key: the protocol demands it.
 */
export interface OwnAddresses {
  /** What the server listens on. */
  host: string;
  publicUrl: string | null;
  /** Origins that the operator lets in; `*` is any. */
  corsOrigins: readonly string[];
}

/** @throws AppError `permission_denied` where a page of another site asks, or by a name that is not this server's. */
export function refuseForeign(headers: Headers, own: OwnAddresses): void {
  const origin = headers.get("origin");
  if (origin !== null && !isOwnOrigin(origin, own)) {
    const text = `Pages of ${origin.slice(0, 100)} may not call this address; the server's --cors-origin lets them.`;
    throw new AppError("permission_denied", text);
  }
  const host = headers.get("host");
  if (host !== null && isLoopback(own.host) && !isOwnName(hostnameOf(`http://${host}`), own)) {
    const text = `${host.slice(0, 100)} is no name of this server; its --public-url can be one.`;
    throw new AppError("permission_denied", text);
  }
}

function isOwnOrigin(origin: string, own: OwnAddresses): boolean {
  if (own.corsOrigins.includes("*") || own.corsOrigins.includes(origin)) return true;
  if (own.publicUrl !== null && new URL(own.publicUrl).origin === origin) return true;
  const name = hostnameOf(origin);
  return isLoopback(name) || (name !== "" && name === own.host);
}

function isOwnName(name: string, { host, publicUrl }: OwnAddresses): boolean {
  return isLoopback(name) || name === host || (publicUrl !== null && name === hostnameOf(publicUrl));
}

/** Without the brackets of IPv6; empty for what is no address. */
function hostnameOf(address: string): string {
  return URL.canParse(address) ? new URL(address).hostname.replace(/^\[|\]$/g, "") : "";
}

function isLoopback(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}
