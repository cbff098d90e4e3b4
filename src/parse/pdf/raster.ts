import type { Picture } from "../ocr.ts";

/** Images at their places on a page -> one grey picture (PGM), at about the resolution that they have. */

/** a, b, c, d, e, f as PDF writes them: x' = ax + cy + e, y' = bx + dy + f. */
export type Matrix = [number, number, number, number, number, number];

/** Pixels as pdf.js gives them. */
export interface RasterSource {
  width: number;
  height: number;
  /** 1: a bit a pixel, rows padded to bytes; 2: RGB; 3: RGBA. */
  kind: number;
  data: Uint8Array | Uint8ClampedArray;
}

export interface PlacedImage {
  source: RasterSource;
  /** A stencil: where its bits are 0, `fill` is painted. */
  isMask: boolean;
  fill: number;
  /** From the image's unit square to the page in points, y downwards. */
  matrix: Matrix;
}

/** What OCR programs are made for. Coarser scans are enlarged to the first, finer ones reduced to the second. */
const LEAST_DPI = 200;
const MOST_DPI = 300;
const POINTS_PER_INCH = 72;
const MAX_PIXELS = 40_000_000;
/** Darker than this is ink. */
const INK = 160;
const PAPER = 255;

export function multiply(m: Matrix, n: Matrix): Matrix {
  return [
    m[0] * n[0] + m[2] * n[1],
    m[1] * n[0] + m[3] * n[1],
    m[0] * n[2] + m[2] * n[3],
    m[1] * n[2] + m[3] * n[3],
    m[0] * n[4] + m[2] * n[5] + m[4],
    m[1] * n[4] + m[3] * n[5] + m[5],
  ];
}

/** `width` and `height` are the page's, in points; null where nothing but white comes of it. */
export function paintPage(images: readonly PlacedImage[], width: number, height: number): Picture | null {
  const visible = images.filter(({ matrix }) => matrix.every(Number.isFinite) && area(matrix) > 0);
  if (visible.length === 0 || !(width >= 1) || !(height >= 1)) return null;
  const finest = Math.max(
    ...visible.map(({ source, matrix }) => Math.sqrt((source.width * source.height) / area(matrix))),
  );
  const dpi = Math.min(
    Math.max(LEAST_DPI, Math.min(MOST_DPI, finest * POINTS_PER_INCH)),
    Math.sqrt(MAX_PIXELS / (width * height)) * POINTS_PER_INCH,
  );
  const scale = dpi / POINTS_PER_INCH;
  const canvas = new Canvas(Math.max(1, Math.floor(width * scale)), Math.max(1, Math.floor(height * scale)));
  for (const image of visible) canvas.paint(image, multiply([scale, 0, 0, scale, 0, 0], image.matrix));
  return canvas.isBlank() ? null : { bytes: canvas.toPgm(), frame: null, dpi: Math.round(dpi) };
}

function area([a, b, c, d]: Matrix): number {
  return Math.abs(a * d - b * c);
}

class Canvas {
  readonly #width: number;
  readonly #height: number;
  readonly #file: Uint8Array;
  readonly #pixels: Uint8Array;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    const header = new TextEncoder().encode(`P5\n${width} ${height}\n255\n`);
    this.#file = new Uint8Array(header.length + width * height).fill(PAPER);
    this.#file.set(header);
    this.#pixels = this.#file.subarray(header.length);
  }

  toPgm(): Uint8Array {
    return this.#file;
  }

  isBlank(): boolean {
    return !this.#pixels.some((pixel) => pixel < INK);
  }

  /** Goes over the pixels that the image may cover and looks up what it has there. */
  paint({ source, isMask, fill }: PlacedImage, [a, b, c, d, e, f]: Matrix): void {
    const determinant = a * d - b * c;
    const xs = [e, e + a, e + c, e + a + c];
    const ys = [f, f + b, f + d, f + b + d];
    const x0 = Math.max(0, Math.floor(Math.min(...xs)));
    const x1 = Math.min(this.#width, Math.ceil(Math.max(...xs)));
    const y0 = Math.max(0, Math.floor(Math.min(...ys)));
    const y1 = Math.min(this.#height, Math.ceil(Math.max(...ys)));
    // The way back, to the image's own pixels: its first row lies at the top of the unit square.
    const ux = (d / determinant) * source.width;
    const uy = (-c / determinant) * source.width;
    const vx = (b / determinant) * source.height;
    const vy = (-a / determinant) * source.height;
    const step = Math.max(Math.hypot(ux, vx), Math.hypot(uy, vy));
    const sample = samplerOf(source, isMask, fill, step);
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) {
        const dx = x + 0.5 - e;
        const dy = y + 0.5 - f;
        const u = ux * dx + uy * dy;
        const v = source.height + vx * dx + vy * dy;
        if (u < 0 || v < 0 || u >= source.width || v >= source.height) continue;
        const at = y * this.#width + x;
        this.#pixels[at] = sample(u, v, this.#pixels[at] ?? PAPER);
      }
    }
  }
}

/** The grey at a place in the image, over what is there already. */
type Sampler = (u: number, v: number, under: number) => number;

/** Reduced images are averaged, so that no thin stroke is lost; enlarged ones are interpolated. */
function samplerOf(source: RasterSource, isMask: boolean, fill: number, step: number): Sampler {
  const pixel = pixelOf(source, isMask, fill);
  const { width, height } = source;
  const reach = Math.min(6, Math.round(step));
  if (reach >= 2) {
    return (u, v, under) => {
      let sum = 0;
      for (let i = 0; i < reach; i++) {
        const y = Math.min(height - 1, Math.max(0, Math.floor(v + ((i + 0.5) / reach - 0.5) * step)));
        for (let j = 0; j < reach; j++) {
          const x = Math.min(width - 1, Math.max(0, Math.floor(u + ((j + 0.5) / reach - 0.5) * step)));
          sum += pixel(x, y, under);
        }
      }
      return sum / (reach * reach);
    };
  }
  return (u, v, under) => {
    const x = Math.max(0, Math.floor(u - 0.5));
    const y = Math.max(0, Math.floor(v - 0.5));
    const right = Math.min(width - 1, x + 1);
    const below = Math.min(height - 1, y + 1);
    const s = Math.min(1, Math.max(0, u - 0.5 - x));
    const t = Math.min(1, Math.max(0, v - 0.5 - y));
    const upper = pixel(x, y, under) * (1 - s) + pixel(right, y, under) * s;
    const lower = pixel(x, below, under) * (1 - s) + pixel(right, below, under) * s;
    return upper * (1 - t) + lower * t;
  };
}

function pixelOf({ width, kind, data }: RasterSource, isMask: boolean, fill: number): Sampler {
  if (kind === 1) {
    const stride = (width + 7) >> 3;
    const bit = (x: number, y: number) => ((data[y * stride + (x >> 3)] ?? 0xff) >> (7 - (x & 7))) & 1;
    return isMask ? (x, y, under) => (bit(x, y) === 0 ? fill : under) : (x, y) => (bit(x, y) === 0 ? 0 : PAPER);
  }
  const channels = kind === 3 ? 4 : 3;
  return (x, y, under) => {
    const at = (y * width + x) * channels;
    const grey = 0.3 * (data[at] ?? PAPER) + 0.59 * (data[at + 1] ?? PAPER) + 0.11 * (data[at + 2] ?? PAPER);
    if (channels === 3) return grey;
    const alpha = (data[at + 3] ?? PAPER) / PAPER;
    return grey * alpha + under * (1 - alpha);
  };
}
