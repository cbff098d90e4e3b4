import { expect, test } from "bun:test";
import { nearAddress } from "./near-address.ts";

const PATTERNS = [
  "/healthz",
  "/v1/files",
  "/v1/files/{file_id}",
  "/v1/files/{file_id}/content",
  "/v1/vector_stores",
  "/v1/vector_stores/{vector_store_id}/search",
  "/v1/vector_stores/{vector_store_id}/files",
  "/v1/embeddings",
  "/v1/rerank",
];

test.each([
  ["/v1/v1/files", "/v1/files"],
  ["/v1/v1/v1/files/file-1", "/v1/files/file-1"],
  ["/api/v1/files", "/v1/files"],
  ["/v2/vector_stores", "/v1/vector_stores"],
  ["/v1/v2/rerank", "/v1/rerank"],
  ["/proxy/lectern/v1/vector_stores/vs_1/search", "/v1/vector_stores/vs_1/search"],
  ["/proxy/files/file-1/content", "/v1/files/file-1/content"],
  ["/v1/vectorStores/vs_1/search", "/v1/vector_stores/vs_1/search"],
  ["/vector-stores/vs_1/files", "/v1/vector_stores/vs_1/files"],
  ["/v1/embedding", "/v1/embeddings"],
  ["/v1/re-rank", "/v1/rerank"],
  ["/v1/vector_stores/vs_1/file", "/v1/vector_stores/vs_1/files"],
])("%s may have been meant as %s", (path, near) => {
  expect(nearAddress(path, PATTERNS)).toBe(near);
});

test.each([
  "/",
  "/v1",
  "/v1/chat/completions",
  "/v1/files",
  "/admin.php",
  "/v1/files/a/b/c",
  `/v1/v1/files/${"x".repeat(300)}`,
])("nothing is near %s", (path) => {
  expect(nearAddress(path, PATTERNS)).toBeNull();
});
