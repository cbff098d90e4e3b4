// What this processor can do, found out once. Every kernel is compiled for each of these levels and chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#if defined(__x86_64__)
#define LECTERN_X86 1
#include <immintrin.h>
#define LECTERN_AVX2 __attribute__((target("avx2,fma")))
#define LECTERN_AVX512 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")))
#elif defined(__aarch64__)
#define LECTERN_ARM 1
#include <arm_neon.h>
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#define LECTERN_DOT __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

#define LECTERN_INLINE inline __attribute__((always_inline))

namespace lectern {

/** From the weakest on; a processor runs every level of its architecture up to its own. */
enum class Simd : int { plain = 0, avx2 = 1, avx512 = 2, dot = 3 };

inline bool runs(Simd level) {
  switch (level) {
    case Simd::plain:
      return true;
#if defined(LECTERN_X86)
    case Simd::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Simd::avx512:
      return runs(Simd::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
#elif defined(LECTERN_ARM)
    case Simd::dot:
#if defined(__APPLE__)
      return true;
#elif defined(HWCAP_ASIMDDP)
      return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
#endif
    default:
      return false;
  }
}

/** The level that this process uses. */
Simd usedSimd();
void useSimd(Simd level);

inline Simd bestSimd() {
  for (Simd level : {Simd::dot, Simd::avx512, Simd::avx2})
    if (runs(level)) return level;
  return Simd::plain;
}

}  // namespace lectern
