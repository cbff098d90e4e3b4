/** What an index is put together from: new and empty, or over the arrays of an image. */
import { AttributeIndex } from "./attributes.ts";
import { ExactIndex } from "./exact.ts";
import { FileTable } from "./file-table.ts";
import type { SectionReader } from "./image-sections.ts";
import { KeywordIndex, type WholeStatistics } from "./keyword.ts";
import { PlainScorer } from "./keyword-scores.ts";
import { OwnAttributes } from "./own-attributes.ts";

export interface StoreIndexParts {
  files: FileTable;
  attributes: AttributeIndex;
  own: OwnAttributes;
  keywords: KeywordIndex;
  vectors: ExactIndex;
  /** What the others are over, if not memory alone. */
  image?: Pick<SectionReader, "isIntact"> | undefined;
}

type VectorOptions = { readonly dimensions: number; readonly nextShare?: number | undefined };
type EmptyOptions = VectorOptions & { readonly whole?: WholeStatistics | undefined };

export function emptyParts({ dimensions, nextShare, whole }: EmptyOptions): StoreIndexParts {
  const files = new FileTable();
  const attributes = new AttributeIndex();
  const vectors = new ExactIndex(dimensions, nextShare);
  return {
    files,
    attributes,
    own: new OwnAttributes(attributes, files),
    // Of some hundred chunks plain loops are done before native code has begun.
    keywords: new KeywordIndex(whole === undefined ? undefined : new PlainScorer(), vectors.views, whole),
    vectors,
  };
}

/** Throws ImageError where the image is not one of an index. */
export function imageParts(image: SectionReader, options: VectorOptions): StoreIndexParts {
  const files = FileTable.from(image.part("files"));
  const attributes = AttributeIndex.from(image.part("attributes"));
  const vectors = ExactIndex.from(image.part("vectors"), options);
  return {
    files,
    attributes,
    own: OwnAttributes.from(image.part("own"), attributes, files),
    keywords: KeywordIndex.from(image.part("keywords"), vectors.views),
    vectors,
    image,
  };
}
