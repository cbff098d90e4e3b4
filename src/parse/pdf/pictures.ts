import type { Picture } from "../ocr.ts";
import type { IsVisible } from "./layers.ts";
import { visibility } from "./layers.ts";
import type { PDFPageProxy } from "./pdfjs.ts";
import { closePdf, loadPdfJs, openPdf } from "./pdfjs.ts";
import type { Matrix, PlacedImage, RasterSource } from "./raster.ts";
import { multiply, paintPage } from "./raster.ts";

/**
 * What a scanned page shows: its images, where they lie on the page, as one picture. Drawn shapes and letters are left
 * out: a page that has those as text needs no OCR.
 */

type Operators = Awaited<ReturnType<typeof loadPdfJs>>["OPS"];

/** The images of a page as a picture for OCR; null where it has none, or nothing but white. */
export async function pdfPicture(bytes: Uint8Array, number: number): Promise<Picture | null> {
  const { OPS } = await loadPdfJs();
  const doc = await openPdf(bytes, { enableXfa: false });
  try {
    const page = await doc.getPage(number);
    const { transform, width, height } = page.getViewport({ scale: 1 });
    const toPage = transform as unknown as Matrix;
    return paintPage(await imagesOf(page, { ops: OPS, toPage, isVisible: await visibility(doc) }), width, height);
  } finally {
    await closePdf(doc);
  }
}

interface GraphicsState {
  matrix: Matrix;
  /** Grey value that a mask is painted with, 0 to 255. */
  fill: number;
}

const IDENTITY: Matrix = [1, 0, 0, 1, 0, 0];

/** Every image that the page paints, in its order, with the way from its unit square to the page. */
async function imagesOf(
  page: PDFPageProxy,
  { ops, toPage, isVisible }: { ops: Operators; toPage: Matrix; isVisible: IsVisible },
): Promise<PlacedImage[]> {
  const { fnArray, argsArray } = await page.getOperatorList();
  const out: PlacedImage[] = [];
  const stack: GraphicsState[] = [];
  let state: GraphicsState = { matrix: toPage, fill: 0 };
  /** Of every marked content that is open: whether it is a layer that is off. */
  const layers: boolean[] = [];
  const place = async (image: unknown, isMask: boolean, within: Matrix = IDENTITY): Promise<void> => {
    if (layers.includes(true)) return;
    const source = await resolve(page, image);
    if (source !== null) out.push({ source, isMask, fill: state.fill, matrix: multiply(state.matrix, within) });
  };
  for (let i = 0; i < fnArray.length; i++) {
    const args = (argsArray[i] ?? []) as unknown[];
    switch (fnArray[i]) {
      case ops.save:
        stack.push(state);
        break;
      case ops.restore:
      case ops.paintFormXObjectEnd:
        state = stack.pop() ?? state;
        break;
      case ops.transform:
        state = { ...state, matrix: multiply(state.matrix, args as unknown as Matrix) };
        break;
      case ops.paintFormXObjectBegin:
        stack.push(state);
        if (args[0] != null) state = { ...state, matrix: multiply(state.matrix, args[0] as Matrix) };
        break;
      case ops.beginMarkedContent:
        layers.push(false);
        break;
      case ops.beginMarkedContentProps:
        layers.push(args[0] === "OC" && !isVisible(args[1]));
        break;
      case ops.endMarkedContent:
        layers.pop();
        break;
      case ops.setFillRGBColor:
        state = { ...state, fill: greyOf(args[0]) };
        break;
      case ops.paintImageXObject:
      case ops.paintInlineImageXObject:
        await place(args[0], false);
        break;
      case ops.paintImageMaskXObject:
        await place(args[0], true);
        break;
      case ops.paintImageXObjectRepeat:
        for (const [x, y] of pairs(args[3]))
          await place(args[0], false, [Number(args[1]), 0, 0, Number(args[2]), x, y]);
        break;
      case ops.paintImageMaskXObjectRepeat: {
        const [, a, b, c, d] = args as number[];
        for (const [x, y] of pairs(args[5])) await place(args[0], true, [a ?? 1, b ?? 0, c ?? 0, d ?? 1, x, y]);
        break;
      }
      case ops.paintImageMaskXObjectGroup:
        for (const image of args[0] as { transform: Matrix }[]) await place(image, true, image.transform);
        break;
      default:
    }
  }
  return out;
}

function* pairs(positions: unknown): Generator<[number, number]> {
  const values = positions as ArrayLike<number>;
  for (let i = 0; i + 1 < values.length; i += 2) yield [values[i] ?? 0, values[i + 1] ?? 0];
}

/** "#rrggbb", or nothing known: black. */
function greyOf(color: unknown): number {
  const [, red = "0", green = "0", blue = "0"] = /^#(..)(..)(..)/.exec(String(color)) ?? [];
  return 0.3 * Number.parseInt(red, 16) + 0.59 * Number.parseInt(green, 16) + 0.11 * Number.parseInt(blue, 16);
}

interface PdfImage {
  width?: number;
  height?: number;
  kind?: number;
  data?: Uint8Array | Uint8ClampedArray | string;
}

/** An image is named, or holds its pixels, or names them. One that cannot be decoded is null. */
async function resolve(page: PDFPageProxy, image: unknown): Promise<RasterSource | null> {
  const named = typeof image === "string" ? { data: image } : (image as PdfImage | null);
  const found = typeof named?.data === "string" ? await objectNamed(page, named.data) : named;
  const data = found?.data;
  if (data === undefined || typeof data === "string") return null;
  const { width, height } = { ...named, ...found };
  if (width === undefined || height === undefined || width < 1 || height < 1) return null;
  return { width, height, kind: found?.kind ?? 1, data };
}

async function objectNamed(page: PDFPageProxy, name: string): Promise<PdfImage | null> {
  const objects = name.startsWith("g_") ? page.commonObjs : page.objs;
  return await new Promise((resolve) => {
    objects.get(name, (found: unknown) => resolve(found as PdfImage | null));
  });
}
