// What JavaScript hands over, checked. The first thing that is wrong is thrown as a TypeError; a function that finds
// `failed()` returns without having read anything.
#pragma once

#include <node_api.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <string>

namespace lectern {

template <typename T>
struct Span {
  T* data = nullptr;
  size_t size = 0;
};

template <typename T>
struct ElementType;
template <>
struct ElementType<int8_t> {
  static constexpr napi_typedarray_type type = napi_int8_array;
};
template <>
struct ElementType<int16_t> {
  static constexpr napi_typedarray_type type = napi_int16_array;
};
template <>
struct ElementType<int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
};
template <>
struct ElementType<uint32_t> {
  static constexpr napi_typedarray_type type = napi_uint32_array;
};
template <>
struct ElementType<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
};
template <>
struct ElementType<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
};

class Arguments {
 public:
  static constexpr size_t kMost = 11;

  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = kMost;
    if (napi_get_cb_info(env, info, &count, values_, nullptr, nullptr) != napi_ok) fail("the call cannot be read");
    for (size_t i = count; i < kMost; i++) values_[i] = nullptr;
  }

  napi_env env() const { return env_; }
  bool failed() const { return failed_; }

  void fail(const std::string& what) {
    if (!failed_) napi_throw_type_error(env_, nullptr, what.c_str());
    failed_ = true;
  }

  /** Fails with the sentence unless it holds. */
  void expect(bool holds, const char* what) {
    if (!holds) fail(what);
  }

  napi_value at(size_t index) const { return index < kMost ? values_[index] : nullptr; }

  bool isNull(size_t index) const {
    napi_valuetype type = napi_undefined;
    return at(index) == nullptr || napi_typeof(env_, at(index), &type) != napi_ok || type == napi_null ||
           type == napi_undefined;
  }

  template <typename T>
  Span<T> array(size_t index, const char* name) {
    return arrayOf<T>(at(index), name);
  }

  /** A typed array of exactly this element type, aligned to it. */
  template <typename T>
  Span<T> arrayOf(napi_value value, const char* name) {
    bool is = false;
    napi_typedarray_type type = napi_int8_array;
    void* data = nullptr;
    size_t size = 0;
    if (failed_) return {};
    if (value == nullptr || napi_is_typedarray(env_, value, &is) != napi_ok || !is ||
        napi_get_typedarray_info(env_, value, &type, &size, &data, nullptr, nullptr) != napi_ok ||
        type != ElementType<T>::type || (data == nullptr && size > 0) ||
        reinterpret_cast<uintptr_t>(data) % alignof(T) != 0) {
      fail(std::string(name) + " must be a typed array of its kind");
      return {};
    }
    return {static_cast<T*>(data), size};
  }

  double numberOf(napi_value value, const char* name) {
    double out = 0;
    if (failed_) return 0;
    if (value == nullptr || napi_get_value_double(env_, value, &out) != napi_ok || std::isnan(out)) {
      fail(std::string(name) + " must be a number");
      return 0;
    }
    return out;
  }

  double number(size_t index, const char* name) { return numberOf(at(index), name); }

  /** A whole number from 0 to `most`. */
  size_t wholeOf(napi_value value, const char* name, double most = 2147483647.0) {
    const double out = numberOf(value, name);
    if (failed_) return 0;
    if (!(out >= 0 && out <= most && out == std::floor(out))) {
      fail(std::string(name) + " must be a whole number in its range");
      return 0;
    }
    return static_cast<size_t>(out);
  }

  size_t whole(size_t index, const char* name, double most = 2147483647.0) { return wholeOf(at(index), name, most); }

  /** A path: text without a zero in it. */
  std::string text(size_t index, const char* name) {
    size_t length = 0;
    if (failed_ || at(index) == nullptr ||
        napi_get_value_string_utf8(env_, at(index), nullptr, 0, &length) != napi_ok) {
      fail(std::string(name) + " must be a string");
      return {};
    }
    std::string found(length + 1, '\0');
    napi_get_value_string_utf8(env_, at(index), found.data(), found.size(), &length);
    found.resize(length);
    expect(found.find('\0') == std::string::npos, "a path has no zero in it");
    return found;
  }

  napi_value property(napi_value object, const char* name) {
    napi_value value = nullptr;
    if (failed_) return nullptr;
    if (napi_get_named_property(env_, object, name, &value) != napi_ok) fail(std::string(name) + " cannot be read");
    return value;
  }

 private:
  napi_env env_;
  napi_value values_[kMost];
  bool failed_ = false;
};

/** No C++ exception leaves a function: it becomes an Error of JavaScript. */
template <napi_value (*run)(Arguments&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    Arguments args(env, info);
    return args.failed() ? nullptr : run(args);
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  } catch (...) {
    napi_throw_error(env, nullptr, "unknown failure in native code");
  }
  return nullptr;
}

inline void define(napi_env env, napi_value exports, const char* name, napi_callback call) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function) == napi_ok)
    napi_set_named_property(env, exports, name, function);
}

}  // namespace lectern
