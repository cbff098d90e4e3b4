#include "inner-product.h"

namespace lectern {

namespace {

/** Sums side by side, which any compiler turns into instructions for several at once. */
float plain(const void* left, const void* right, const void* size) {
  const auto* a = static_cast<const float*>(left);
  const auto* b = static_cast<const float*>(right);
  const size_t count = *static_cast<const size_t*>(size);
  float sums[16] = {};
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (size_t lane = 0; lane < 16; lane++) sums[lane] += a[i + lane] * b[i + lane];
  for (size_t lane = 0; i < count; i++, lane++) sums[lane] += a[i] * b[i];
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t lane = 0; lane < half; lane++) sums[lane] += sums[lane + half];
  return 1 - sums[0];
}

#if defined(LECTERN_X86)

LECTERN_AVX2 float avx2(const void* left, const void* right, const void* size) {
  const auto* a = static_cast<const float*>(left);
  const auto* b = static_cast<const float*>(right);
  const size_t count = *static_cast<const size_t*>(size);
  __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  size_t i = 0;
  for (; i + 32 <= count; i += 32)
    for (size_t lane = 0; lane < 4; lane++)
      sums[lane] =
          _mm256_fmadd_ps(_mm256_loadu_ps(a + i + lane * 8), _mm256_loadu_ps(b + i + lane * 8), sums[lane]);
  for (; i + 8 <= count; i += 8) sums[0] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sums[0]);
  const __m256 all = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  float total = _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1)));
  for (; i < count; i++) total += a[i] * b[i];
  return 1 - total;
}

LECTERN_AVX512 float avx512(const void* left, const void* right, const void* size) {
  const auto* a = static_cast<const float*>(left);
  const auto* b = static_cast<const float*>(right);
  const size_t count = *static_cast<const size_t*>(size);
  __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  size_t i = 0;
  for (; i + 64 <= count; i += 64)
    for (size_t lane = 0; lane < 4; lane++)
      sums[lane] =
          _mm512_fmadd_ps(_mm512_loadu_ps(a + i + lane * 16), _mm512_loadu_ps(b + i + lane * 16), sums[lane]);
  for (; i + 16 <= count; i += 16) sums[0] = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sums[0]);
  if (i < count) {
    const auto rest = static_cast<__mmask16>((1U << (count - i)) - 1);
    sums[1] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, a + i), _mm512_maskz_loadu_ps(rest, b + i), sums[1]);
  }
  return 1 - _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}

#endif

}  // namespace

Distance innerProductDistance(Simd level) {
  switch (level) {
#if defined(LECTERN_X86)
    case Simd::avx2:
      return avx2;
    case Simd::avx512:
      return avx512;
#endif
    default:
      return plain;
  }
}

}  // namespace lectern
