import wasm from "tesseract.js-core/tesseract-core-simd-lstm.wasm" with { type: "file" };
import createModule from "tesseract.js-core/tesseract-core-simd-lstm.js";

import { exifTurns, firstFrame } from "../parse/image.ts";
import type { Picture } from "../parse/ocr.ts";
import type { Ink } from "./ocr-skew.ts";
import { type LanguageFile, unpacked } from "./ocr-languages.ts";
import { lieOf } from "./ocr-skew.ts";

/**
 * Tesseract as WebAssembly: it has no file but those in its own memory, no network, and no more memory than 2 GiB. One
 * page after the other, in the thread that calls it, which has to be one that can be ended: nothing bounds its time.
 */

interface Pix {
  get_w(): number;
  get_h(): number;
  get_wpl(): number;
  get_data(): number;
}

interface TessApi {
  Init(path: null, languages: string, mode: number): number;
  SetVariable(name: string, value: string): void;
  /** 0 when /input holds a picture; turned first by what a camera says, then by radians clockwise. */
  SetImageFile(exif: number, angle: number): number;
  SetSourceResolution(dpi: number): void;
  GetThresholdedImage(): Pix;
  Recognize(monitor: null): number;
  GetTSVText(page: number): string;
  MeanTextConf(): number;
  Clear(): void;
  End(): void;
}

interface TessModule {
  FS: { writeFile(path: string, bytes: Uint8Array): void; unlink(path: string): void };
  TessBaseAPI: new () => TessApi;
  destroy(object: object): void;
  getPointer(object: object): number;
  getValue(pointer: number, type: "i32"): number;
  setValue(pointer: number, value: number, type: "i32"): void;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _pixDestroy(pointerToPointer: number): void;
}

/** Neural networks alone: the older engine is not in this build. */
const LSTM_ONLY = 1;
/** Columns and blocks are found, the orientation is ours to find. */
const AUTO = "3";
const INPUT = "/input";
/** A page read with this confidence, in percent, is the right way up. */
const SURE = 75;
/** What a camera writes for each number of quarter turns clockwise that put its picture upright. */
const EXIF_OF_TURNS = [1, 6, 3, 8];

export class TesseractCore {
  readonly #module: TessModule;
  #api: TessApi | null = null;
  #loaded = "";

  private constructor(module: TessModule) {
    this.#module = module;
  }

  static async load(): Promise<TesseractCore> {
    const quiet = () => undefined;
    const options = {
      wasmBinary: await Bun.file(wasm).bytes(),
      print: quiet,
      printErr: quiet,
      TesseractProgress: quiet,
    };
    return new TesseractCore((await createModule(options)) as TessModule);
  }

  /** False when one of them is no data that this engine reads. */
  async useLanguages(files: readonly LanguageFile[]): Promise<boolean> {
    const key = files.map((file) => `${file.name} ${file.version}`).join("\n");
    if (key === this.#loaded && this.#api !== null) return true;
    this.#loaded = "";
    this.#api?.End();
    this.#api = null;
    for (const { name, path } of files)
      this.#module.FS.writeFile(`/${name}.traineddata`, unpacked(await Bun.file(path).bytes()));
    const api = new this.#module.TessBaseAPI();
    const status = api.Init(null, files.map((file) => file.name).join("+"), LSTM_ONLY);
    // What Tesseract needs of them is in its own memory now.
    for (const { name } of files) this.#module.FS.unlink(`/${name}.traineddata`);
    if (status !== 0) return false;
    api.SetVariable("tessedit_pageseg_mode", AUTO);
    this.#api = api;
    this.#loaded = key;
    return true;
  }

  /** The words of a picture as tab-separated values; null where it is none that can be decoded. */
  recognize({ bytes, frame, dpi }: Picture): string | null {
    const api = this.#api;
    if (api === null) throw new Error("no language is loaded");
    const upright = exifTurns(bytes);
    this.#module.FS.writeFile(INPUT, frame === null ? bytes : firstFrame(bytes, frame));
    const show = (turns: number, angle: number): boolean => {
      const isPicture = api.SetImageFile(EXIF_OF_TURNS[(upright + turns) % 4] ?? 1, angle) === 0;
      if (isPicture && dpi !== null) api.SetSourceResolution(dpi);
      return isPicture;
    };
    try {
      if (!show(0, 0)) return null;
      const { isSideways, skew } = lieOf(this.#ink(api.GetThresholdedImage()));
      let best = { confidence: -1, tsv: "" };
      for (const turns of isSideways ? [1, 3, 0] : [0, 2]) {
        show(turns, (-skew * Math.PI) / 180);
        api.Recognize(null);
        const confidence = api.MeanTextConf();
        if (confidence > best.confidence) best = { confidence, tsv: api.GetTSVText(0) };
        if (confidence >= SURE) break;
      }
      return best.tsv;
    } finally {
      api.Clear();
      this.#module.FS.unlink(INPUT);
    }
  }

  /** Where a page in black and white has black, on a grid that is fine enough for its lines; gives the page back. */
  #ink(pix: Pix): Ink {
    const module = this.#module;
    const [width, height, wordsPerLine, data] = [pix.get_w(), pix.get_h(), pix.get_wpl(), pix.get_data()];
    const step = Math.max(1, Math.round(Math.max(width, height) / 1100));
    const xs: number[] = [];
    const ys: number[] = [];
    for (let y = 0; y < height; y += step) {
      for (let i = 0; i < wordsPerLine; i++) {
        const word = module.getValue(data + 4 * (y * wordsPerLine + i), "i32");
        if (word === 0) continue;
        for (let x = (step - ((32 * i) % step)) % step; x < 32; x += step) {
          if (((word >>> (31 - x)) & 1) === 0) continue;
          xs.push((32 * i + x) / step);
          ys.push(y / step);
        }
      }
    }
    const pointer = module._malloc(4);
    module.setValue(pointer, module.getPointer(pix), "i32");
    module._pixDestroy(pointer);
    module._free(pointer);
    return { xs: Float32Array.from(xs), ys: Float32Array.from(ys) };
  }
}
