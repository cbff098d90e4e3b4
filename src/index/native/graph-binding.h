#pragma once

#include <node_api.h>

namespace lectern {

/** Adds the functions of the graph. */
void defineGraph(napi_env env, napi_value exports);

}  // namespace lectern
