// Distances between float32 vectors for the graph.
#pragma once

#include "simd.h"

namespace lectern {

/** 1 - <a, b>; `size` points to the number of components, as hnswlib hands it over. */
using Distance = float (*)(const void* a, const void* b, const void* size);

Distance innerProductDistance(Simd level);

}  // namespace lectern
