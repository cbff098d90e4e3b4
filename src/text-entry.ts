/** Thread of the text lane: texts -> tokens and keyword terms. Pure JavaScript; may be terminated at any time. */
import { countTokens } from "./chunk/tokens.ts";
import { encodeTerms } from "./index/analyzer.ts";
import { countCodePoints } from "./platform/code-points.ts";
import { lowerPriority } from "./platform/priority.ts";
import { serveCalls } from "./platform/worker-serve.ts";
import type { TextInit, TextMethods } from "./workers/protocol.ts";

serveCalls<TextMethods, TextInit>((init) => {
  lowerPriority(init.nice);
  return {
    handlers: {
      count: ({ texts }) => ({ result: texts.map(countTokens) }),
      analyse: ({ texts, filename }) => ({
        result: texts.map((text) => ({
          tokens: countTokens(text),
          codePoints: countCodePoints(text),
          terms: encodeTerms({ text, heading: [], title: "", filename }),
        })),
      }),
    },
  };
});
