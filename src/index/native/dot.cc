#include "dot.h"

namespace lectern {

ScanQuery::ScanQuery(const int16_t* queryValues, size_t queryStride, float queryStep)
    : values(queryValues), stride(queryStride), step(queryStep), high(queryStride), low(queryStride), offset(0) {
  for (size_t i = 0; i < stride; i++) {
    high[i] = static_cast<int8_t>(values[i] >> 7);
    low[i] = static_cast<int8_t>(values[i] & 127);
    offset += static_cast<uint32_t>(static_cast<int32_t>(values[i]) * 128);
  }
}

namespace {

// Sums wrap around in 32 bits on their way; the choice of steps makes the last one fit.

void plain(const Rows& rows, const int32_t* slots, size_t first, size_t count, const ScanQuery& query, float* out) {
  for (size_t i = 0; i < count; i++) {
    const size_t row = slots == nullptr ? first + i : static_cast<size_t>(slots[i]);
    const int8_t* bytes = rows.codes + row * rows.stride;
    uint32_t sum = 0;
    for (size_t at = 0; at < query.stride; at++) sum += static_cast<uint32_t>(bytes[at] * query.values[at]);
    out[i] = static_cast<float>(static_cast<int32_t>(sum)) * rows.scales[row] * query.step;
  }
}

#if defined(LECTERN_X86)

LECTERN_AVX2 LECTERN_INLINE uint32_t dotAvx2(const int8_t* row, const ScanQuery& query) {
  __m256i even = _mm256_setzero_si256();
  __m256i odd = even;
  for (size_t i = 0; i < query.stride; i += 32) {
    const __m128i* bytes = reinterpret_cast<const __m128i*>(row + i);
    const __m256i* values = reinterpret_cast<const __m256i*>(query.values + i);
    even = _mm256_add_epi32(
        even, _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(bytes)), _mm256_loadu_si256(values)));
    odd = _mm256_add_epi32(
        odd, _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(bytes + 1)), _mm256_loadu_si256(values + 1)));
  }
  const __m256i both = _mm256_add_epi32(even, odd);
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(sum));
}

LECTERN_AVX2 void avx2(const Rows& rows, const int32_t* slots, size_t first, size_t count, const ScanQuery& query,
                       float* out) {
  for (size_t i = 0; i < count; i++) {
    const size_t row = slots == nullptr ? first + i : static_cast<size_t>(slots[i]);
    const int32_t sum = static_cast<int32_t>(dotAvx2(rows.codes + row * rows.stride, query));
    out[i] = static_cast<float>(sum) * rows.scales[row] * query.step;
  }
}

/** Components + 128 are unsigned bytes, which are multiplied with both halves of the query; the offset is taken off. */
LECTERN_AVX512 LECTERN_INLINE uint32_t dotAvx512(const int8_t* row, const ScanQuery& query) {
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i high = _mm512_setzero_si512();
  __m512i low = high;
  for (size_t i = 0; i < query.stride; i += 64) {
    const __m512i bytes = _mm512_xor_si512(_mm512_loadu_si512(row + i), flip);
    high = _mm512_dpbusd_epi32(high, bytes, _mm512_loadu_si512(query.high.data() + i));
    low = _mm512_dpbusd_epi32(low, bytes, _mm512_loadu_si512(query.low.data() + i));
  }
  const __m512i both = _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
  return static_cast<uint32_t>(_mm512_reduce_add_epi32(both)) - query.offset;
}

/** Four rows at once: the query is loaded once for all, and the last sums are made side by side. */
LECTERN_AVX512 LECTERN_INLINE __m128i dotsAvx512(const int8_t* const (&rows)[4], const ScanQuery& query) {
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i high[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
  __m512i low[4] = {high[0], high[0], high[0], high[0]};
  for (size_t i = 0; i < query.stride; i += 64) {
    const __m512i queryHigh = _mm512_loadu_si512(query.high.data() + i);
    const __m512i queryLow = _mm512_loadu_si512(query.low.data() + i);
    for (int row = 0; row < 4; row++) {
      const __m512i bytes = _mm512_xor_si512(_mm512_loadu_si512(rows[row] + i), flip);
      high[row] = _mm512_dpbusd_epi32(high[row], bytes, queryHigh);
      low[row] = _mm512_dpbusd_epi32(low[row], bytes, queryLow);
    }
  }
  for (int row = 0; row < 4; row++) low[row] = _mm512_add_epi32(_mm512_slli_epi32(high[row], 7), low[row]);
  const __m512i first = _mm512_add_epi32(_mm512_unpacklo_epi32(low[0], low[1]), _mm512_unpackhi_epi32(low[0], low[1]));
  const __m512i second = _mm512_add_epi32(_mm512_unpacklo_epi32(low[2], low[3]), _mm512_unpackhi_epi32(low[2], low[3]));
  const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(first, second), _mm512_unpackhi_epi64(first, second));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  const __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  return _mm_sub_epi32(sums, _mm_set1_epi32(static_cast<int32_t>(query.offset)));
}

LECTERN_AVX512 void avx512(const Rows& rows, const int32_t* slots, size_t first, size_t count, const ScanQuery& query,
                           float* out) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    size_t at[4];
    for (size_t row = 0; row < 4; row++) at[row] = slots == nullptr ? first + i + row : static_cast<size_t>(slots[i + row]);
    const int8_t* const codes[4] = {rows.codes + at[0] * rows.stride, rows.codes + at[1] * rows.stride,
                                    rows.codes + at[2] * rows.stride, rows.codes + at[3] * rows.stride};
    const __m128 scales = _mm_set_ps(rows.scales[at[3]], rows.scales[at[2]], rows.scales[at[1]], rows.scales[at[0]]);
    const __m128 sums = _mm_cvtepi32_ps(dotsAvx512(codes, query));
    _mm_storeu_ps(out + i, _mm_mul_ps(_mm_mul_ps(sums, scales), _mm_set1_ps(query.step)));
  }
  for (; i < count; i++) {
    const size_t row = slots == nullptr ? first + i : static_cast<size_t>(slots[i]);
    const int32_t sum = static_cast<int32_t>(dotAvx512(rows.codes + row * rows.stride, query));
    out[i] = static_cast<float>(sum) * rows.scales[row] * query.step;
  }
}

#elif defined(LECTERN_ARM)

LECTERN_DOT void armDot(const Rows& rows, const int32_t* slots, size_t first, size_t count, const ScanQuery& query,
                        float* out) {
  for (size_t i = 0; i < count; i++) {
    const size_t row = slots == nullptr ? first + i : static_cast<size_t>(slots[i]);
    const int8_t* bytes = rows.codes + row * rows.stride;
    int32x4_t high = vdupq_n_s32(0);
    int32x4_t low = high;
    for (size_t at = 0; at < query.stride; at += 16) {
      const int8x16_t piece = vld1q_s8(bytes + at);
      high = vdotq_s32(high, piece, vld1q_s8(query.high.data() + at));
      low = vdotq_s32(low, piece, vld1q_s8(query.low.data() + at));
    }
    const int32_t sum = vaddvq_s32(vaddq_s32(vshlq_n_s32(high, 7), low));
    out[i] = static_cast<float>(sum) * rows.scales[row] * query.step;
  }
}

#endif

}  // namespace

DotRows dotRows(Simd level) {
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
