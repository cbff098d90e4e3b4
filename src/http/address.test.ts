import { expect, test } from "bun:test";
import { canonicalPath, pathParams } from "./address.ts";

test.each([
  ["/v1/files", "/v1/files"],
  ["/files", "/v1/files"],
  ["/files/", "/v1/files"],
  ["//v1//files", "/v1/files"],
  ["/openai/v1/vector_stores/vs_1/search", "/v1/vector_stores/vs_1/search"],
  ["/v1/openai/v1/embeddings", "/v1/embeddings"],
  ["/vector_stores/vs_1/files_batches/vsfb_1/cancel", "/v1/vector_stores/vs_1/file_batches/vsfb_1/cancel"],
  ["/v1/vector_stores/vs_1/files_batches", "/v1/vector_stores/vs_1/file_batches"],
  ["/v1/vector_stores/files_batches/files", "/v1/vector_stores/files_batches/files"],
  ["/v1/models/provider/model:latest", "/v1/models/provider%2Fmodel:latest"],
  ["/v1/models/provider%2Fmodel", "/v1/models/provider%2Fmodel"],
  ["/docs/", "/docs"],
  ["/", "/"],
  ["/filesystem", "/filesystem"],
  ["/v1/_stainless_unknown_path", "/v1/_stainless_unknown_path"],
  ["/healthz", "/healthz"],
])("%s is served as %s", (sent, canonical) => {
  expect(canonicalPath(sent)).toBe(canonical);
});

test.each([
  ["/v1/files/{file_id}", "/v1/files/file-1", { file_id: "file-1" }],
  ["/v1/models/{model}", "/v1/models/a%2Fb%3Ac", { model: "a/b:c" }],
  ["/v1/files/{file_id}", "/v1/files/%ff", null],
  ["/v1/files/{file_id}", "/v1/files", null],
  ["/v1/files/{file_id}/content", "/v1/files/file-1/contents", null],
])("parameters of %s in %s", (pattern, path, params) => {
  expect(pathParams(pattern, path)).toEqual(params);
});
