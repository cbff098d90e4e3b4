import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";

/** The user that a request is made for. Throws `invalid_api_key` for a request that LibreChat did not sign. */
export type UserOf = (headers: Headers) => string;

/** Characters of a token, and of a user's id, at most. */
const MAX_TOKEN = 8192;
const MAX_USER = 256;
/** By so much the clocks of two machines may differ. */
const LEEWAY_SECONDS = 60;

/**
 * LibreChat signs each request with a secret that both sides know (a JSON Web Token, HS256, of some minutes). No other
 * algorithm is accepted, whatever a token says of itself, and none that does not expire.
 */
export function librechatTokens(secret: string | null, clock: Pick<Clock, "nowSeconds">): UserOf {
  return (headers) => {
    if (secret === null)
      throw refused(
        "This server is not set up for LibreChat; start it with --librechat-jwt-secret-file, whose file holds LibreChat's JWT_SECRET",
      );
    const token = /^Bearer\s+(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    if (token === undefined) throw refused("Missing or invalid Authorization header");
    const [head = "", payload = "", signature = "", ...more] = token.length > MAX_TOKEN ? [] : token.split(".");
    const expected = createHmac("sha256", secret).update(`${head}.${payload}`).digest();
    const given = Buffer.from(signature, "base64url");
    const isSigned = more.length === 0 && given.length === expected.length && timingSafeEqual(given, expected);
    if (!isSigned || objectOf(head)?.["alg"] !== "HS256")
      throw refused(
        "Invalid token: it is not signed with this server's --librechat-jwt-secret, which must be LibreChat's JWT_SECRET",
      );
    const { id, exp, nbf } = objectOf(payload) ?? {};
    const now = clock.nowSeconds();
    if (typeof exp !== "number" || exp + LEEWAY_SECONDS <= now) throw refused("Token has expired");
    if (typeof nbf === "number" && nbf - LEEWAY_SECONDS > now) throw refused("Invalid token: it is not valid yet");
    if (typeof id === "string" && id !== "" && id.length <= MAX_USER) return id;
    throw refused("Invalid token: it names no user");
  };
}

function objectOf(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function refused(message: string): AppError {
  return new AppError("invalid_api_key", message);
}
