// What the postings of a stretch add to scores, by the stretch and in 32-bit floats: quick, and good enough to say which
// chunks are worth the exact sum.
#pragma once

#include "postings.h"
#include "simd.h"

namespace lectern {

/** What a posting adds by these is off by less than this share of it. */
constexpr double kShareError = 1e-6;

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
 * and has read no length where not.
 */
using StretchShares = bool (*)(const int32_t* postings, uint32_t count, uint32_t lo, uint32_t hi, const ShareQuery& query,
                               float* out);

StretchShares stretchShares(Simd level);

}  // namespace lectern
