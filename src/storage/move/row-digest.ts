const HASH_BYTES = 32;

/**
 * What a set of rows has in common with every equal one, whatever order they come in: how many they are, and the sum of
 * their SHA-256, as four numbers modulo 2^64. A row that is missing, changed or there twice gives another sum.
 */
export class RowDigest {
  readonly #sums = new BigUint64Array(HASH_BYTES / 8);
  readonly #hash = new Uint8Array(HASH_BYTES);
  readonly #numbers = new DataView(this.#hash.buffer);
  #rows = 0;

  /** A row as its bytes. */
  add(row: Uint8Array): void {
    Bun.SHA256.hash(row, this.#hash);
    for (let i = 0; i < this.#sums.length; i++) this.#sums[i]! += this.#numbers.getBigUint64(i * 8);
    this.#rows++;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Hexadecimal. */
  get sum(): string {
    return Array.from(this.#sums, (sum) => sum.toString(16).padStart(16, "0")).join("");
  }
}
