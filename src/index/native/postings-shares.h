// What the postings of a stretch add to scores, by the stretch and in 32-bit floats: quick, and good enough to say which
// chunks are worth the exact sum.
#pragma once

#include "postings.h"

namespace lectern {

struct ShareQuery {
  ShareQuery(const ChunkLengths& chunks, double heavy)
      : lengths(chunks.lengths),
        weight(static_cast<float>(heavy)),
        fixed(static_cast<float>(chunks.fixed)),
        perLength(static_cast<float>(chunks.perLength)) {}

  const float* lengths;
  float weight;
  float fixed;
  float perLength;
};

/**
 * out[i] = what posting i adds. The chunks must be from `lo` to before `hi`, which have lengths; answers whether they are,
 * and has read no length where not. Levels of processors have no kernels of their own: they were 5 % faster.
 */
bool stretchShares(const int32_t* postings, uint32_t count, uint32_t lo, uint32_t hi, const ShareQuery& query, float* out);

}  // namespace lectern
