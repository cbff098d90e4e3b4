#pragma once

#include <node_api.h>

namespace lectern {

/** keywordBest and keywordScores. */
void definePostings(napi_env env, napi_value exports);

}  // namespace lectern
