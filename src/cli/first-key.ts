/** The one time that a made-up key is shown. */
export function firstKeyText(key: string): string {
  return `API key (shown this once, only its hash is kept): ${key}`;
}
