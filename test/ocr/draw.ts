/** Pages of print as a scanner would give them: text drawn from outlines, then turned, skewed, blurred and spotted. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../helpers/server.ts";
import { seededRandom } from "../helpers/random.ts";
import { Font } from "./font.ts";

export interface TextLine {
  text: string;
  /** Points from the page's left edge, and of its baseline from the top. */
  x: number;
  y: number;
  size: number;
  font: string;
}

export interface PageSpec {
  lines: readonly TextLine[];
  dpi: number;
  /** Degrees clockwise by which the page lies askew on the glass. */
  skew?: number;
  /** Quarter turns clockwise. */
  turns?: 0 | 1 | 2 | 3;
  /** Part of the pixels that are spots, and how far the others stray from their grey. */
  spots?: number;
  grain?: number;
  /** Radius in pixels. */
  blur?: number;
  /** Grey of ink and paper. */
  ink?: number;
  paper?: number;
}

export interface Picture {
  width: number;
  height: number;
  /** A byte a pixel, 0 is black. */
  pixels: Uint8Array;
}

export const PAGE_WIDTH = 595;
export const PAGE_HEIGHT = 842;

const LIBERATION = join(ROOT, "node_modules/pdfjs-dist/standard_fonts");
const DEJAVU = "/usr/share/fonts/truetype/dejavu";
const PATHS: Readonly<Record<string, string>> = {
  sans: join(LIBERATION, "LiberationSans-Regular.ttf"),
  bold: join(LIBERATION, "LiberationSans-Bold.ttf"),
  italic: join(LIBERATION, "LiberationSans-Italic.ttf"),
  serif: join(DEJAVU, "DejaVuSerif.ttf"),
  mono: join(DEJAVU, "DejaVuSansMono.ttf"),
};
const fonts = new Map<string, Font>();

/** Whether this machine has the font; "sans", "bold" and "italic" come with a dependency. */
export function hasFont(name: string): boolean {
  return existsSync(PATHS[name] ?? "");
}

function fontNamed(name: string): Font {
  let font = fonts.get(name);
  if (font === undefined) {
    font = new Font(PATHS[name] ?? "");
    fonts.set(name, font);
  }
  return font;
}

export function textWidth(text: string, font: string, size: number): number {
  const face = fontNamed(font);
  return ([...text].reduce((sum, character) => sum + face.glyph(character).advance, 0) * size) / face.unitsPerEm;
}

/** Lines of at most `width` points, below each other. */
export function setText(
  text: string,
  place: { x: number; y: number; width: number; size: number; font: string; leading?: number },
): TextLine[] {
  const { x, width, size, font, leading = 1.3 } = place;
  const out: TextLine[] = [];
  let y = place.y;
  for (const paragraph of text.split("\n")) {
    let line = "";
    const end = () => {
      out.push({ text: line, x, y, size, font });
      y += leading * size;
      line = "";
    };
    for (const word of paragraph.split(" ")) {
      const longer = line === "" ? word : `${line} ${word}`;
      if (line !== "" && textWidth(longer, font, size) > width) {
        end();
        line = word;
      } else line = longer;
    }
    end();
    y += 0.6 * size;
  }
  return out;
}

export function drawPage(spec: PageSpec): Picture {
  const turned = (spec.turns ?? 0) % 2 === 1;
  const scale = spec.dpi / 72;
  const width = Math.round((turned ? PAGE_HEIGHT : PAGE_WIDTH) * scale);
  const height = Math.round((turned ? PAGE_WIDTH : PAGE_HEIGHT) * scale);
  const canvas = new Canvas(width, height);
  const angle = (((spec.skew ?? 0) + 90 * (spec.turns ?? 0)) * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const toPixel = (x: number, y: number): [number, number] => {
    const [dx, dy] = [(x - PAGE_WIDTH / 2) * scale, (y - PAGE_HEIGHT / 2) * scale];
    return [width / 2 + cos * dx - sin * dy, height / 2 + sin * dx + cos * dy];
  };
  for (const line of spec.lines) {
    const face = fontNamed(line.font);
    const unit = line.size / face.unitsPerEm;
    let x = line.x;
    for (const character of line.text) {
      const { contours, advance } = face.glyph(character);
      canvas.fill(contours.map((contour) => contour.map(([px, py]) => toPixel(x + px * unit, line.y - py * unit))));
      x += advance * unit;
    }
  }
  return canvas.develop(spec);
}

/** Coverage in 1/255 of each pixel, sampled on four lines a pixel. */
class Canvas {
  readonly width: number;
  readonly height: number;
  readonly #ink: Float32Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#ink = new Float32Array(width * height);
  }

  fill(contours: readonly (readonly (readonly [number, number])[])[]): void {
    const rows = new Map<number, { x: number; winding: number }[]>();
    for (const contour of contours) {
      contour.forEach(([x1, y1], i) => {
        const [x0, y0] = contour.at(i - 1) ?? [x1, y1];
        if (y0 === y1) return;
        const [top, bottom] = y0 < y1 ? [y0, y1] : [y1, y0];
        for (let row = Math.ceil(top * 4 - 0.5); row < bottom * 4 - 0.5; row++) {
          const x = x0 + (((row + 0.5) / 4 - y0) / (y1 - y0)) * (x1 - x0);
          const crossing = { x, winding: y0 < y1 ? 1 : -1 };
          const list = rows.get(row);
          if (list === undefined) rows.set(row, [crossing]);
          else list.push(crossing);
        }
      });
    }
    for (const [row, crossings] of rows) {
      crossings.sort((a, b) => a.x - b.x);
      let winding = 0;
      crossings.forEach(({ x, winding: step }, i) => {
        winding += step;
        const next = crossings[i + 1];
        if (winding !== 0 && next !== undefined) this.#span(row >> 2, x, next.x);
      });
    }
  }

  #span(y: number, from: number, to: number): void {
    if (y < 0 || y >= this.height) return;
    for (let x = Math.max(0, Math.floor(from)); x < Math.min(this.width, to); x++) {
      const at = y * this.width + x;
      this.#ink[at] = (this.#ink[at] ?? 0) + 0.25 * (Math.min(to, x + 1) - Math.max(from, x));
    }
  }

  develop({ spots = 0, grain = 0, blur = 0, ink = 20, paper = 250 }: PageSpec): Picture {
    const random = seededRandom(7);
    const { width, height } = this;
    const soft = blur > 0 ? blurred(this.#ink, width, height, blur) : this.#ink;
    const pixels = new Uint8Array(width * height);
    for (let i = 0; i < pixels.length; i++) {
      const grey = paper + (ink - paper) * Math.min(1, soft[i] ?? 0) + grain * (random() + random() - 1);
      const isSpot = spots > 0 && random() < spots;
      pixels[i] = isSpot ? (random() < 0.5 ? 0 : 255) : Math.max(0, Math.min(255, grey));
    }
    return { width, height, pixels };
  }
}

/** A box over each pixel, across and then down. */
function blurred(source: Float32Array, width: number, height: number, radius: number): Float32Array {
  const pass = (from: Float32Array, step: number, length: number, lines: number, lineStep: number): Float32Array => {
    const out = new Float32Array(from.length);
    for (let line = 0; line < lines; line++) {
      for (let i = 0; i < length; i++) {
        let sum = 0;
        for (let k = -radius; k <= radius; k++)
          sum += from[line * lineStep + Math.min(length - 1, Math.max(0, i + k)) * step] ?? 0;
        out[line * lineStep + i * step] = sum / (2 * radius + 1);
      }
    }
    return out;
  };
  return pass(pass(source, 1, width, height, width), width, height, width, 1);
}

/** As it is handed to OCR: a PGM file. */
export function toPgm({ width, height, pixels }: Picture): Uint8Array {
  return Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`), pixels]);
}
