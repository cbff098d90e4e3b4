/** What an index is put together from: new and empty, or over the arrays of an image. */
import { AttributeIndex } from "./attributes.ts";
import { ExactIndex } from "./exact.ts";
import { FileTable } from "./file-table.ts";
import type { SectionReader } from "./image-sections.ts";
import { KeywordIndex } from "./keyword.ts";
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

export function emptyParts({ dimensions, nextShare }: VectorOptions): StoreIndexParts {
  const files = new FileTable();
  const attributes = new AttributeIndex();
  const vectors = new ExactIndex(dimensions, nextShare);
  return {
    files,
    attributes,
    own: new OwnAttributes(attributes, files),
    keywords: new KeywordIndex(undefined, vectors.views),
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
