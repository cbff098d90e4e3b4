const MAX_NAME_BYTES = 512;
const MAX_EXTENSION_BYTES = 32;

/**
 * A client's file name as display text. It never becomes a path on this machine, but clients show it and save under it:
 * parts that climb or root (`..`, `/`, `C:`) and control characters go, folders stay, the extension survives shortening.
 */
export function displayName(sent: string | undefined, fallback = "upload"): string {
  const clean = (sent ?? "")
    .toWellFormed()
    .replaceAll("%22", '"')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "");
  const parts = clean
    .replaceAll("\\", "/")
    .split("/")
    .map((part) => part.trim())
    .filter((part) => part !== "" && part !== "." && part !== ".." && !/^[A-Za-z]:$/.test(part));
  const name = parts.join("/");
  return name === "" ? fallback : shortened(name);
}

/** The value of a `Content-Disposition` header that saves under the last part of `name` (RFC 6266, RFC 5987). */
export function attachment(name: string): string {
  const last = name.split("/").at(-1) ?? name;
  const ascii = last.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const encoded = encodeURIComponent(last.toWellFormed()).replace(
    /['()*!]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const extension = /\.[^./]+$/.exec(name)?.[0] ?? "";
  const kept = Buffer.byteLength(extension) <= MAX_EXTENSION_BYTES ? extension : "";
  return cut(name.slice(0, name.length - kept.length), MAX_NAME_BYTES - Buffer.byteLength(kept)) + kept;
}

/** At most `bytes` bytes of UTF-8, cut between characters. */
function cut(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes));
  return text.slice(0, read);
}
