/** Thread of the bundled OCR engine: pictures -> words. WebAssembly without files; may be terminated at any time. */
import { lowerPriority } from "./platform/priority.ts";
import { serveCalls } from "./platform/worker-serve.ts";
import { TesseractCore } from "./workers/ocr-core.ts";
import type { OcrInit, OcrMethods } from "./workers/ocr-bundled.ts";

serveCalls<OcrMethods, OcrInit>((init) => {
  lowerPriority(init.nice);
  const core = TesseractCore.load();

  return {
    handlers: {
      async recognize({ picture, languages }) {
        const engine = await core;
        return { result: (await engine.useLanguages(languages)) ? engine.recognize(picture) : null };
      },
      async check({ language }) {
        return { result: await (await core).useLanguages([language]) };
      },
    },
  };
});
