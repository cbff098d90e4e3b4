import { randomText } from "../../platform/ids.ts";

/** Keys begin so that people and secret scanners recognise them; 40 characters are 238 random bits. */
const KEY_PREFIX = "sk-lec-";
const KEY_CHARACTERS = 40;

export function newKey(): string {
  return KEY_PREFIX + randomText(KEY_CHARACTERS);
}

/** Enough of a key for its owner to recognise it. */
export function keyHint(key: string): string {
  return key.length < 16 ? "…" : `${key.slice(0, 6)}…${key.slice(-4)}`;
}
