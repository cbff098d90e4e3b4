// Mapped files, for JavaScript.
#pragma once

#include <node_api.h>

namespace lectern {

void defineMapping(napi_env env, napi_value exports);

}  // namespace lectern
