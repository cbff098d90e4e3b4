// The inner loop over sketches: sixteen vectors at once, four components of each in a 32-bit lane. The codes are left
// where they are in their bytes, so the sums of the four places are 1, 4, 16 and 64 times what is wanted.
#include <cstring>

#include "sketch.h"

namespace lectern {

namespace {

LECTERN_INLINE float estimateOf(float sum, float factor, const SketchQuery& query) {
  return factor * (query.slope * sum + query.intercept);
}

LECTERN_INLINE float largestOf(const float* estimates) {
  float largest = estimates[0];
  for (size_t i = 1; i < kBlock; i++) largest = estimates[i] > largest ? estimates[i] : largest;
  return largest;
}

float plain(const uint32_t* words, const float* factors, const SketchQuery& query, float* estimates) {
  int32_t sums[kBlock] = {};
  for (size_t column = 0; column < query.columns; column++) {
    const int8_t* values = query.values.data() + column * 16;
    for (size_t slot = 0; slot < kBlock; slot++) {
      const uint32_t word = words[column * kBlock + slot];
      for (size_t i = 0; i < 16; i++)
        sums[slot] += static_cast<int32_t>((word >> ((i & 3) * 8 + (i >> 2) * 2)) & 3) * values[i];
    }
  }
  for (size_t slot = 0; slot < kBlock; slot++)
    estimates[slot] = estimateOf(static_cast<float>(sums[slot]), factors[slot], query);
  return largestOf(estimates);
}

#if defined(LECTERN_X86)

/** The four sums of each place; exact, as every one of them is a multiple of its place. */
LECTERN_AVX2 float avx2(const uint32_t* words, const float* factors, const SketchQuery& query, float* estimates) {
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i mask = _mm256_set1_epi8(3);
  for (size_t half = 0; half < 2; half++) {
    __m256i sum = _mm256_setzero_si256();
    for (size_t column = 0; column < query.columns; column++) {
      const __m256i word =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + column * kBlock + half * 8));
      const int8_t* values = query.values.data() + column * 16;
      __m256i pairs = _mm256_setzero_si256();
      for (int place = 0; place < 4; place++) {
        int32_t four;
        std::memcpy(&four, values + place * 4, 4);
        const __m256i codes = _mm256_and_si256(_mm256_srli_epi16(word, place * 2), mask);
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(codes, _mm256_set1_epi32(four)));
      }
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    const __m256 product = _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(query.slope)),
                                         _mm256_set1_ps(query.intercept));
    const __m256 estimate = _mm256_mul_ps(product, _mm256_loadu_ps(factors + half * 8));
    _mm256_storeu_ps(estimates + half * 8, estimate);
  }
  return largestOf(estimates);
}

LECTERN_AVX512 float avx512(const uint32_t* words, const float* factors, const SketchQuery& query, float* estimates) {
  const __m512i first = _mm512_set1_epi8(0x03);
  const __m512i second = _mm512_set1_epi8(0x0c);
  const __m512i third = _mm512_set1_epi8(0x30);
  const __m512i fourth = _mm512_set1_epi8(static_cast<char>(0xc0));
  __m512i a = _mm512_setzero_si512();
  __m512i b = a;
  __m512i c = a;
  __m512i d = a;
  for (size_t column = 0; column < query.columns; column++) {
    const __m512i word = _mm512_loadu_si512(words + column * kBlock);
    int32_t values[4];
    std::memcpy(values, query.values.data() + column * 16, 16);
    a = _mm512_dpbusd_epi32(a, _mm512_and_si512(word, first), _mm512_set1_epi32(values[0]));
    b = _mm512_dpbusd_epi32(b, _mm512_and_si512(word, second), _mm512_set1_epi32(values[1]));
    c = _mm512_dpbusd_epi32(c, _mm512_and_si512(word, third), _mm512_set1_epi32(values[2]));
    d = _mm512_dpbusd_epi32(d, _mm512_and_si512(word, fourth), _mm512_set1_epi32(values[3]));
  }
  const __m512i left = _mm512_add_epi32(a, _mm512_srai_epi32(b, 2));
  const __m512i right = _mm512_add_epi32(_mm512_srai_epi32(c, 4), _mm512_srai_epi32(d, 6));
  const __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(left, right));
  const __m512 product =
      _mm512_add_ps(_mm512_mul_ps(sum, _mm512_set1_ps(query.slope)), _mm512_set1_ps(query.intercept));
  const __m512 estimate = _mm512_mul_ps(product, _mm512_loadu_ps(factors));
  _mm512_storeu_ps(estimates, estimate);
  return _mm512_reduce_max_ps(estimate);
}

#elif defined(LECTERN_ARM)

LECTERN_DOT float armDot(const uint32_t* words, const float* factors, const SketchQuery& query, float* estimates) {
  const uint8x16_t mask = vdupq_n_u8(3);
  for (size_t quarter = 0; quarter < 4; quarter++) {
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t column = 0; column < query.columns; column++) {
      const uint8x16_t word = vreinterpretq_u8_u32(vld1q_u32(words + column * kBlock + quarter * 4));
      const int8x16_t values = vld1q_s8(query.values.data() + column * 16);
      sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(vandq_u8(word, mask)), values, 0);
      sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(word, 2), mask)), values, 1);
      sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(vandq_u8(vshrq_n_u8(word, 4), mask)), values, 2);
      sum = vdotq_laneq_s32(sum, vreinterpretq_s8_u8(vshrq_n_u8(word, 6)), values, 3);
    }
    for (size_t i = 0; i < 4; i++) {
      const size_t slot = quarter * 4 + i;
      estimates[slot] = estimateOf(static_cast<float>(sum[i]), factors[slot], query);
    }
  }
  return largestOf(estimates);
}

#endif

}  // namespace

EstimateBlock estimateBlock(Simd level) {
  switch (level) {
#if defined(LECTERN_X86)
    case Simd::avx2:
      return avx2;
    case Simd::avx512:
      return avx512;
#elif defined(LECTERN_ARM)
    case Simd::dot:
      return armDot;
#endif
    default:
      return plain;
  }
}

}  // namespace lectern
