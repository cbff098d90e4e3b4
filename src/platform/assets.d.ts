/** Files imported `with { type: "file" }`: the module's value is a path that Bun.file() reads, also in the binary. */
declare module "*.node" {
  const path: string;
  export default path;
}
declare module "*.onnx" {
  const path: string;
  export default path;
}
declare module "*.wasm" {
  const path: string;
  export default path;
}
declare module "*.bcmap" {
  const path: string;
  export default path;
}
declare module "*.bin" {
  const path: string;
  export default path;
}
declare module "swagger-ui-dist/*" {
  const path: string;
  export default path;
}
declare module "pdfjs-dist/cmaps/*" {
  const path: string;
  export default path;
}
declare module "*.traineddata.gz" {
  const path: string;
  export default path;
}
/** Comes without types: makes Tesseract from options of Emscripten. */
declare module "tesseract.js-core/*.js" {
  const create: (options: object) => Promise<unknown>;
  export default create;
}

declare module "*/LICENSE" {
  const text: string;
  export default text;
}

declare module "*/NOTICE" {
  const text: string;
  export default text;
}
