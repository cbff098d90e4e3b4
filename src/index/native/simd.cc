#include "simd.h"

#include <atomic>

namespace lectern {

namespace {
std::atomic<Simd> used{bestSimd()};
}

Simd usedSimd() { return used; }

void useSimd(Simd level) { used = level; }

}  // namespace lectern
