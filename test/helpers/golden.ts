import { expect } from "bun:test";

/**
 * Golden examples: what a document shows of an answer. Every key that it shows is there with a value of the same type,
 * and with the same value where the request determines it (`is(…)`); further keys are allowed.
 */
class Is {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

/** Determined by the request. */
export const is = (value: unknown): unknown => new Is(value);

class Either {
  readonly types: readonly string[];
  constructor(types: readonly string[]) {
    this.types = types;
  }
}

/** One of several types, where the document says so: `either("number", "null")`. */
export const either = (...types: string[]): unknown => new Either(types);

export function expectGolden(answer: unknown, documented: unknown, path = "answer"): void {
  if (documented instanceof Is) {
    expect([path, answer]).toEqual([path, documented.value]);
  } else if (documented instanceof Either) {
    expect([path, documented.types]).toEqual([
      path,
      expect.arrayContaining([answer === null ? "null" : typeof answer]),
    ]);
  } else if (Array.isArray(documented)) {
    expect([path, Array.isArray(answer)]).toEqual([path, true]);
    for (const [i, item] of documented.entries()) expectGolden((answer as unknown[])[i], item, `${path}[${i}]`);
  } else if (typeof documented === "object" && documented !== null) {
    expect([path, typeof answer, answer === null]).toEqual([path, "object", false]);
    for (const [key, value] of Object.entries(documented)) {
      expect([path, Object.keys(answer as object)]).toEqual([path, expect.arrayContaining([key])]);
      expectGolden((answer as Record<string, unknown>)[key], value, `${path}.${key}`);
    }
  } else if (documented === null) {
    expect([path, answer]).toEqual([path, null]);
  } else {
    expect([path, typeof answer]).toEqual([path, typeof documented]);
  }
}
