/** What every EmbeddingProvider keeps to, local or remote: one suite for all of them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { EmbeddedText, EmbedKind, EmbeddingProvider } from "../../src/embed/provider.ts";
import { combineWindows } from "../../src/embed/vectors.ts";

export interface OpenedProvider {
  provider: EmbeddingProvider;
  close: () => Promise<void>;
}

const never = new AbortController().signal;

export function embeddingProviderSuite(name: string, open: () => Promise<OpenedProvider>): void {
  describe(`${name} keeps to what every provider does:`, () => {
    let opened: OpenedProvider;
    beforeAll(async () => void (opened = await open()));
    afterAll(async () => await opened.close());

    const embed = async (texts: string[], kind: EmbedKind = "passage"): Promise<EmbeddedText[]> => {
      const result = await opened.provider.embed(texts, kind, never);
      if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`);
      expect(result.texts.length).toBe(texts.length);
      return result.texts;
    };
    const expectSound = (text: EmbeddedText): void => {
      const { dimensions } = opened.provider.model;
      expect(text.windows).toBeGreaterThanOrEqual(1);
      expect(text.vectors.length).toBe(text.windows * dimensions);
      expect(text.tokens).toBeGreaterThanOrEqual(text.windows);
      for (let w = 0; w < text.windows; w++) {
        const norm = Math.hypot(...text.vectors.subarray(w * dimensions, (w + 1) * dimensions));
        if (norm !== 0) expect(norm).toBeCloseTo(1, 5);
      }
    };

    test("its description is coherent", () => {
      const { model } = opened.provider;
      expect(model.revision).toMatch(/^[0-9a-f]{16}$/);
      expect(model.dimensions).toBeGreaterThan(0);
      expect(model.defaultDimensions).toBeLessThanOrEqual(model.dimensions);
      expect(model.maxTokens).toBeGreaterThan(7);
    });

    test("every text has sound vectors, the same alone and in company, again and again", async () => {
      const texts = ["the cat sat on the mat", "a dog", "the big red house and the small tree", "sun", "rain or sun"];
      const together = await embed(texts);
      for (const [i, text] of texts.entries()) {
        const [alone] = await embed([text]);
        expectSound(together[i] as EmbeddedText);
        expect(alone?.windows).toBe(together[i]?.windows ?? 0);
        const worst = Math.max(
          ...[...(alone?.vectors ?? [])].map((x, d) => Math.abs(x - (together[i]?.vectors[d] ?? NaN))),
        );
        expect(worst).toBeLessThan(1e-5);
      }
      expect([...(together[0]?.vectors ?? [])]).not.toEqual([...(together[1]?.vectors ?? [])]);
    });

    test("a text longer than the window has several vectors, and one combined vector of unit length", async () => {
      const long = "the cat sat on the mat and the dog run or the big red house . ".repeat(
        opened.provider.model.maxTokens / 4,
      );
      const [text] = await embed([long, "short"]);
      expectSound(text as EmbeddedText);
      expect(text?.windows).toBeGreaterThan(1);
      const combined = combineWindows(text as EmbeddedText, opened.provider.model.dimensions);
      expect(Math.hypot(...combined)).toBeCloseTo(1, 5);
    });

    test("nothing, blanks and hostile texts are no failure", async () => {
      expect(await embed([])).toEqual([]);
      const hostile = [
        "",
        " \t\n",
        "\u0000\u0001",
        "\ud800 lone",
        "x".repeat(20_000),
        "‮rtl",
        "é".repeat(3000),
        "🤗".repeat(500),
        '"}\\',
      ];
      for (const kind of ["query", "passage"] as const) (await embed(hostile, kind)).forEach(expectSound);
    });

    test("an aborted request says so", async () => {
      const result = await opened.provider.embed(["a cat"], "query", AbortSignal.abort());
      expect(result.ok ? "ok" : result.reason).toBe("aborted");
    });
  });
}
