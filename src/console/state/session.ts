import { errorOf } from "../api.ts";

/**
 * The key of this tab. It is kept where the tab's end takes it away, never in a cookie, an address or a store that
 * outlives the tab.
 */
const NAME = "lectern-key";

export function keptKey(): string | null {
  return sessionStorage.getItem(NAME);
}

export function keepKey(key: string): void {
  sessionStorage.setItem(NAME, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(NAME);
}

/** The code of a one-time link. It leaves the address before anything else happens. */
export function takeCode(): string | null {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1] ?? null;
  if (location.hash.startsWith("#code=")) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** The key that a code is good for. */
export async function redeem(base: string, code: string): Promise<string> {
  const response = await fetch(`${base}console/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code }),
  });
  const text = await response.text();
  if (!response.ok) throw errorOf(text, response.status, (name) => response.headers.get(name));
  return (JSON.parse(text) as { key: string }).key;
}
