#include "postings-shares.h"

namespace lectern {

bool stretchShares(const int32_t* postings, uint32_t count, uint32_t lo, uint32_t hi, const ShareQuery& query,
                   float* out) {
  uint32_t outside = 0;
  for (uint32_t i = 0; i < count; i++) outside |= static_cast<uint32_t>(ordinalIn(postings[i]) - lo >= hi - lo);
  if (outside != 0) return false;
  for (uint32_t i = 0; i < count; i++) {
    const auto frequency = static_cast<float>(static_cast<int32_t>(frequencyIn(postings[i])));
    const float norm = query.fixed + query.perLength * query.lengths[ordinalIn(postings[i])];
    out[i] = query.weight * frequency / (frequency + norm);
  }
  return true;
}

}  // namespace lectern
