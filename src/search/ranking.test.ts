import { describe, expect, test } from "bun:test";
import type { IndexAnswer } from "../index/store-index.ts";
import type { Fusion } from "./ranking.ts";
import { DEFAULT_FUSION, mergeRanked, rank } from "./ranking.ts";
import { readerScale, TABLE, TABLE_SCALE, tableScale } from "./scale.ts";

const CONVEX: Fusion = { type: "convex", vectorWeight: 0.35 };
const HIGH = { ...TABLE_SCALE, unrelatedCosine: 0.7 };
const RRF: Fusion = { type: "rrf", weights: { vector: 1, text: 1 }, constant: 60 };

/** Chunks 1, 2, … with their two scores, and the evidence. */
function answer(
  scores: [vector: number | null, keyword: number | null, evidence?: number][],
  maxKeywordScore = 10,
): IndexAnswer {
  const candidates = scores.map(([vectorScore, keywordScore, evidence = 0], i) => ({
    chunkId: i + 1,
    fileKey: 1,
    vectorScore,
    keywordScore,
    evidence,
  }));
  const leg = (score: (one: (typeof candidates)[number]) => number | null) =>
    candidates
      .flatMap((one) => ((score(one) ?? 0) > 0 ? { chunkId: one.chunkId, fileKey: 1, score: score(one) ?? 0 } : []))
      .toSorted((a, b) => b.score - a.score);
  return {
    candidates,
    vector: leg((one) => one.vectorScore),
    keyword: leg((one) => one.keywordScore),
    maxKeywordScore,
    attainableKeywordScore: maxKeywordScore,
    small: null,
    knownTerms: 1,
    idfSum: 1,
    matched: { files: 1, chunks: scores.length },
    used: "exact",
  };
}

const order = (ranked: { chunkId: number }[]) => ranked.map((one) => one.chunkId);

describe("rank", () => {
  test("puts what both legs like above what one likes", () => {
    expect(
      order(
        rank(
          answer([
            [0.9, 0],
            [0.8, 8],
            [0.1, 9],
          ]),
          "hybrid",
          CONVEX,
        ),
      ),
    ).toEqual([2, 3, 1]);
  });

  test("ranks and scores a model whose cosines begin high as one whose begin at zero", () => {
    const legs: [number, number][] = [
      [0.1, 10],
      [0.8, 7],
      [0.6, 2],
      [0, 7],
    ];
    const plain = rank(answer(legs), "hybrid", CONVEX);
    const high = legs.map(([cosine, keyword]): [number, number] => [0.7 + 0.3 * cosine, keyword]);
    const spread = rank(answer(high), "hybrid", CONVEX, HIGH);
    expect(order(plain)).toEqual([2, 1, 4, 3]);
    expect(spread.map(({ chunkId, score }) => [chunkId, score.toFixed(4)])).toEqual(
      plain.map(({ chunkId, score }) => [chunkId, score.toFixed(4)]),
    );
    // What is shown of the vectors stays the cosine; and alone they are in their own order anyway.
    expect(spread.map(({ vector }) => vector)).toEqual(order(spread).map((id) => high[id - 1]?.[0] ?? null));
    expect(rank(answer(high), "vector", CONVEX, HIGH)[0]).toMatchObject({ chunkId: 2, score: 0.94 });
  });

  test("begins as it does when asked for the best only", () => {
    const given = answer(
      Array.from({ length: 300 }, (_, i) => [((i * 37) % 101) / 101, (i * 53) % 11, Number(i % 97 === 0)]),
    );
    for (const mode of ["hybrid", "vector", "keyword"] as const) {
      for (const fusion of [CONVEX, RRF]) {
        for (const scale of [TABLE_SCALE, HIGH]) {
          const best = rank(given, mode, fusion, scale, 50);
          expect(best).toHaveLength(50);
          expect(best).toEqual(rank(given, mode, fusion, scale).slice(0, 50));
        }
      }
    }
  });

  test("gives scores within 0 and 1, falling, in every mode", () => {
    for (const mode of ["hybrid", "vector", "keyword"] as const) {
      for (const fusion of [CONVEX, RRF]) {
        const scores = rank(
          answer([
            [1.0000001, 12],
            [-0.5, 3],
            [0.4, 0],
            [0, 0],
          ]),
          mode,
          fusion,
        ).map((one) => one.score);
        expect(scores).toEqual(scores.toSorted((a, b) => b - a));
        expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
      }
    }
  });

  test("gives the best answer of a poor query a lower score than that of a good one", () => {
    const poor =
      rank(
        answer([
          [0.1, 1],
          [0.05, 0.5],
        ]),
        "hybrid",
        CONVEX,
      )[0]?.score ?? 1;
    const good =
      rank(
        answer([
          [0.8, 6],
          [0.05, 0.5],
        ]),
        "hybrid",
        CONVEX,
      )[0]?.score ?? 0;
    expect(poor).toBeLessThan(0.35);
    expect(good).toBeGreaterThan(0.6);
  });

  test("gives an answer that has half of the question a lower score than one that has all of it", () => {
    const given = answer([
      [0.4, 6],
      [0.2, 3],
    ]);
    const scoreWhere = (attainableKeywordScore: number) =>
      rank({ ...given, attainableKeywordScore }, "hybrid", CONVEX).map((one) => one.score);
    const [whole, half] = [scoreWhere(8), scoreWhere(16)];
    expect(whole.every((score, i) => score > (half[i] ?? 1))).toBe(true);
  });

  test("judges by the cosine alone where no chunk has a word of the question", () => {
    const given = answer(
      [
        [0.8, 0],
        [0.1, 0],
      ],
      0,
    );
    const [near, far] = rank(given, "hybrid", { type: "convex", vectorWeight: 0 }).map((one) => one.score);
    expect(near).toBeGreaterThan(0.7);
    expect(far).toBeLessThan(0.1);
  });

  test("takes the cosine itself for a score in vector mode", () => {
    expect(
      rank(
        answer([
          [0.25, null],
          [0.75, null],
        ]),
        "vector",
        CONVEX,
      ).map((one) => one.score),
    ).toEqual([0.75, 0.25]);
  });

  test("leaves out of a keyword search what has no word of it, and nothing out of the others", () => {
    const given = answer([
      [0.9, 0],
      [-0.2, 5],
    ]);
    expect(order(rank(given, "keyword", CONVEX))).toEqual([2]);
    expect(order(rank(given, "vector", CONVEX))).toEqual([1, 2]);
    expect(order(rank(given, "hybrid", CONVEX))).toHaveLength(2);
  });

  test("gives the one that alone has what was asked for more than half, and others what they had", () => {
    const code = rank(answer([[0.02, 6, 1], [0.1, 1]], 10), "hybrid", CONVEX).map((one) => one.score); // prettier-ignore
    expect(code[0]).toBeGreaterThan(0.5);
    expect(code[1]).toBeLessThan(0.1);
    const nowhere = rank(answer([[0.1, 1], [0.02, 0.5]], 20), "hybrid", CONVEX).map((one) => one.score); // prettier-ignore
    expect(nowhere[0]).toBeLessThan(0.1);
  });

  test("puts no stranger before the only one with the surname, however it fuses", () => {
    const given = answer([
      [0.4, 2],
      [0.3, 1.5],
      [0.01, 6, 1],
    ]);
    for (const fusion of [CONVEX, RRF, { ...RRF, weights: { vector: 0.5, text: 0.5 } }])
      expect(order(rank(given, "hybrid", fusion))[0]).toBe(3);
  });

  test("takes no evidence where only vectors or only keywords are asked", () => {
    const given = answer([
      [0.4, 7],
      [0.01, 6, 1],
    ]);
    expect(order(rank(given, "keyword", CONVEX))).toEqual([1, 2]);
    expect(order(rank(given, "vector", CONVEX))).toEqual([1, 2]);
  });

  test("follows the weights of reciprocal rank fusion", () => {
    const given = answer([
      [0.9, 1],
      [0.5, 2],
      [0.1, 3],
    ]);
    const weighted = (vector: number, text: number): Fusion => ({
      type: "rrf",
      weights: { vector, text },
      constant: 60,
    });
    expect(order(rank(given, "hybrid", weighted(1, 0)))).toEqual([1, 2, 3]);
    expect(order(rank(given, "hybrid", weighted(0, 1)))).toEqual([3, 2, 1]);
  });

  test("answers nothing for nothing, and zero where no leg knew anything", () => {
    expect(rank(answer([]), "hybrid", CONVEX)).toEqual([]);
    expect(rank(answer([[-0.3, 0]], 0), "hybrid", CONVEX).map((one) => one.score)).toEqual([0]);
  });
});

test("mergeRanked keeps each chunk once, with its best score", () => {
  const first = rank(
    answer([
      [0.9, null],
      [0.2, null],
    ]),
    "vector",
    CONVEX,
  );
  const second = rank(
    answer([
      [0.1, null],
      [0.7, null],
    ]),
    "vector",
    CONVEX,
  );
  expect(mergeRanked([first, second]).map(({ chunkId, score }) => [chunkId, score])).toEqual([
    [1, 0.9],
    [2, 0.7],
  ]);
});

test("the table of words has less of a say in a question that is not English, and in a passage", () => {
  const weightOf = (query: string) => tableScale(query).vectorWeight(0.5);
  for (const query of ["how do I reset my password", "glacier", "E1234 timeout", ""]) {
    expect([query, weightOf(query)]).toEqual([query, TABLE.vectorWeight]);
  }
  for (const [query, weight] of [
    ["¿Cuántas personas viven en la ciudad de los reyes?", TABLE.foreignVectorWeight.latin],
    ["Сколько людей живёт в городе", TABLE.foreignVectorWeight.other],
    ["市の人口は何人ですか", TABLE.foreignVectorWeight.other],
  ] as const) {
    expect([query, weightOf(query)]).toEqual([query, weight]);
  }
  const passageOf = (words: number) => "the keeper of the lighthouse ".repeat(words / 5);
  expect(weightOf(passageOf(100))).toBe(TABLE.vectorWeight);
  expect(weightOf(passageOf(150))).toBeCloseTo((TABLE.vectorWeight + TABLE.passageVectorWeight) / 2, 10);
  expect(weightOf(passageOf(400))).toBeCloseTo(TABLE.passageVectorWeight, 10);
});

describe("a model that reads", () => {
  const scale = readerScale("how long does a refund take", 0);
  /** One that the vectors like, and one that has the words. */
  const legs: [number, number][] = [
    [0.6, 1],
    [0.35, 5],
  ];

  test("decides where the documents hardly have a word of the question, as in another language", () => {
    const first = (attainableKeywordScore: number) =>
      rank({ ...answer(legs), attainableKeywordScore }, "hybrid", DEFAULT_FUSION, scale)[0]?.chunkId;
    expect([first(200), first(5.5)]).toEqual([1, 2]);
  });

  test("has less of a say in a long text than in a question, and the share that was asked for where one was", () => {
    const weightOf = (query: string) => readerScale(query, 0).vectorWeight(0.3);
    expect(weightOf("how long does a refund take")).toBeGreaterThan(
      weightOf("the keeper of the lighthouse ".repeat(20)),
    );
    const order = (vectorWeight: number) =>
      rank(answer(legs), "hybrid", { type: "convex", vectorWeight }, scale).map(({ chunkId }) => chunkId);
    expect([order(0), order(1)]).toEqual([
      [2, 1],
      [1, 2],
    ]);
  });

  test("leaves the first place to the only one with the code that was asked for", () => {
    const given = answer([[0.6, 1], [0.1, 6, 1]], 8); // prettier-ignore
    const [best, other] = rank(given, "hybrid", DEFAULT_FUSION, scale);
    expect(best).toMatchObject({ chunkId: 2 });
    expect(best?.score).toBeGreaterThan(0.5);
    expect(other?.score).toBeLessThan(0.5);
  });

  describe("in a store of few chunks", () => {
    /** One file about a database: every chunk is near, and by rarities there hardly anything was found. */
    const few: [number, number][] = [
      [0.5, 2],
      [0.45, 1.5],
      [0.3, 2],
    ];
    const shown = (small: IndexAnswer["small"], mode: "hybrid" | "keyword" = "hybrid", of = scale) =>
      rank({ ...answer(few), attainableKeywordScore: 10, small }, mode, DEFAULT_FUSION, of);
    const best = (small: IndexAnswer["small"]) => shown(small)[0]?.score ?? 0;

    test("is believed by what was found with rarities as in a larger one", () => {
      expect(best(null)).toBeLessThan(0.45);
      expect(best({ chunks: 6, found: 0.58 })).toBeGreaterThan(0.45);
      expect(best({ chunks: 6, found: 0.1 })).toBeLessThan(best({ chunks: 6, found: 0.58 }) / 2);
    });

    test("the more the fewer they are, up to none at all", () => {
      const scores = [1, 10, 20, 60, 150, 199].map((chunks) => best({ chunks, found: 0.58 }));
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      expect(scores[0]).toBe(scores[1]!);
      expect(best({ chunks: 200, found: 0.58 })).toBe(best(null));
    });

    test("keeps the order, and leaves keyword searches and the table of words as they are", () => {
      for (const found of [0, 0.5, 1]) {
        expect(order(shown({ chunks: 6, found }))).toEqual(order(shown(null)));
        expect(shown({ chunks: 6, found }, "keyword")).toEqual(shown(null, "keyword"));
        expect(shown({ chunks: 6, found }, "hybrid", TABLE_SCALE)).toEqual(shown(null, "hybrid", TABLE_SCALE));
      }
    });
  });
});
