// The addon: what of the vector index is too slow in JavaScript. One file for every processor of an architecture.
#include <node_api.h>

#include "graph-binding.h"
#include "mapping-binding.h"
#include "pool-binding.h"
#include "postings-binding.h"
#include "scan-binding.h"

NAPI_MODULE_INIT() {
  lectern::defineScan(env, exports);
  lectern::defineGraph(env, exports);
  lectern::defineMapping(env, exports);
  lectern::definePool(env, exports);
  lectern::definePostings(env, exports);
  return exports;
}
