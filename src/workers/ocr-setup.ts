import type { ProcessBounds } from "../platform/process-bounds.ts";
import { BundledOcr } from "./ocr-bundled.ts";
import type { OcrEngine } from "./ocr-engine.ts";
import { findLanguages, languageDirectory } from "./ocr-languages.ts";
import { NativeOcr } from "./ocr-native.ts";
import { Ocr } from "./ocr.ts";

export interface OcrSettings {
  /** Which engine: what is best of all, the `tesseract` of the machine, or none. */
  mode: "auto" | "native" | "off";
  /** As Tesseract names them, joined with "+". */
  languages: string;
  dataDir: string;
  maxPages: number;
  maxSeconds: number;
  slots: number;
  memoryBytes: number;
  bounds?: ProcessBounds | undefined;
}

export function createOcr(settings: OcrSettings): Ocr {
  const { maxPages, maxSeconds, slots } = settings;
  return new Ocr({ engines: enginesOf(settings), maxPages, maxSeconds, slots });
}

/** In order of preference; the first that is available reads a document. */
function enginesOf({ mode, languages, dataDir, slots, memoryBytes, bounds }: OcrSettings): OcrEngine[] {
  if (mode === "off") return [];
  const native = new NativeOcr({ program: () => Bun.which("tesseract"), languages, memoryBytes });
  if (mode === "native") return [native];
  const directory = languageDirectory(dataDir);
  const bundled = (areEnough: (missing: string[]) => boolean) =>
    new BundledOcr({
      languages: () => {
        const { found, missing } = findLanguages(directory, languages);
        return areEnough(missing) ? found : [];
      },
      workers: slots,
      memoryBytes,
      bounds,
    });
  // A machine's own Tesseract may know languages that nobody has added here; better some languages than none.
  return [bundled((missing) => missing.length === 0), native, bundled(() => true)];
}
