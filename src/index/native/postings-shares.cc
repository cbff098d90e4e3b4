#include "postings-shares.h"

namespace lectern {

namespace {

LECTERN_INLINE bool shares(const int32_t* postings, uint32_t count, uint32_t lo, uint32_t hi, const ShareQuery& query,
                           float* out) {
  uint32_t outside = 0;
  for (uint32_t i = 0; i < count; i++) outside |= static_cast<uint32_t>(ordinalIn(postings[i]) - lo >= hi - lo);
  if (outside != 0) return false;
  const float* lengths = query.lengths;
  const float weight = query.weight;
  const float fixed = query.fixed;
  const float perLength = query.perLength;
  for (uint32_t i = 0; i < count; i++) {
    const auto frequency = static_cast<float>(static_cast<int32_t>(frequencyIn(postings[i])));
    const float norm = fixed + perLength * lengths[static_cast<int32_t>(ordinalIn(postings[i]))];
    out[i] = weight * frequency / (frequency + norm);
  }
  return true;
}

bool plainShares(const int32_t* postings, uint32_t count, uint32_t lo, uint32_t hi, const ShareQuery& query, float* out) {
  return shares(postings, count, lo, hi, query, out);
}

#if defined(LECTERN_X86)
LECTERN_AVX2 bool avx2Shares(const int32_t* postings, uint32_t count, uint32_t lo, uint32_t hi, const ShareQuery& query,
                             float* out) {
  return shares(postings, count, lo, hi, query, out);
}

LECTERN_AVX512 bool avx512Shares(const int32_t* postings, uint32_t count, uint32_t lo, uint32_t hi, const ShareQuery& query,
                                 float* out) {
  return shares(postings, count, lo, hi, query, out);
}
#endif

}  // namespace

StretchShares stretchShares(Simd level) {
#if defined(LECTERN_X86)
  if (level == Simd::avx512) return avx512Shares;
  if (level == Simd::avx2) return avx2Shares;
#endif
  static_cast<void>(level);
  return plainShares;
}

}  // namespace lectern
