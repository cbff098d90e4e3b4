// Mapped files for JavaScript: see vector-addon.ts, which has the types. A mapping is an ArrayBuffer, and lives as long.
#include "mapping-binding.h"

#include <memory>
#include <stdexcept>

#include "arguments.h"
#include "mapping.h"

namespace lectern {

namespace {

constexpr double kMostBytes = 9007199254740991.0;

void finalize(napi_env, void*, void* hint) { Mapping::close(static_cast<Mapping*>(hint)); }

/** mapFile(path, bytes): an ArrayBuffer over the file. */
napi_value mapFile(Arguments& args) {
  const std::string path = args.text(0, "path");
  const size_t bytes = args.whole(1, "bytes", kMostBytes);
  if (args.failed()) return nullptr;
  Mapping* const mapping = Mapping::open(path, bytes);
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(args.env(), mapping->data(), bytes, finalize, mapping, &buffer) == napi_ok)
    return buffer;
  Mapping::close(mapping);
  throw std::runtime_error("the file cannot be handed over");
}

Mapping* mappingAt(Arguments& args, size_t index) {
  void* data = nullptr;
  size_t bytes = 0;
  bool is = false;
  if (args.failed()) return nullptr;
  if (args.at(index) == nullptr || napi_is_arraybuffer(args.env(), args.at(index), &is) != napi_ok || !is ||
      napi_get_arraybuffer_info(args.env(), args.at(index), &data, &bytes) != napi_ok) {
    args.fail("mapping must be an ArrayBuffer");
    return nullptr;
  }
  Mapping* const mapping = Mapping::at(data);
  args.expect(mapping != nullptr, "mapping must be what mapFile answered");
  return mapping;
}

/** isIntact(mapping) */
napi_value isIntact(Arguments& args) {
  Mapping* const mapping = mappingAt(args, 0);
  napi_value value = nullptr;
  if (!args.failed()) napi_get_boolean(args.env(), mapping->isIntact(), &value);
  return value;
}

/** isResident(mapping, from, bytes) */
napi_value isResident(Arguments& args) {
  const Mapping* const mapping = mappingAt(args, 0);
  const size_t from = args.whole(1, "from", kMostBytes);
  const size_t bytes = args.whole(2, "bytes", kMostBytes);
  napi_value value = nullptr;
  if (!args.failed()) napi_get_boolean(args.env(), mapping->isResident(from, bytes), &value);
  return value;
}

struct Populating {
  const Mapping* mapping;
  size_t from;
  size_t bytes;
  /** Keeps the mapping. */
  napi_ref buffer = nullptr;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

void populateInBackground(napi_env, void* data) {
  const auto* populating = static_cast<Populating*>(data);
  populating->mapping->populate(populating->from, populating->bytes);
}

void populateDone(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Populating> populating(static_cast<Populating*>(data));
  napi_value nothing = nullptr;
  napi_get_undefined(env, &nothing);
  napi_resolve_deferred(env, populating->deferred, nothing);
  napi_delete_reference(env, populating->buffer);
  napi_delete_async_work(env, populating->work);
}

/** populate(mapping, from, bytes): a promise; another thread waits for the disk. */
napi_value populate(Arguments& args) {
  auto populating = std::make_unique<Populating>();
  populating->mapping = mappingAt(args, 0);
  populating->from = args.whole(1, "from", kMostBytes);
  populating->bytes = args.whole(2, "bytes", kMostBytes);
  if (args.failed()) return nullptr;
  napi_value name = nullptr;
  napi_value promise = nullptr;
  napi_create_string_utf8(args.env(), "populate", NAPI_AUTO_LENGTH, &name);
  if (napi_create_reference(args.env(), args.at(0), 1, &populating->buffer) != napi_ok ||
      napi_create_promise(args.env(), &populating->deferred, &promise) != napi_ok ||
      napi_create_async_work(args.env(), nullptr, name, populateInBackground, populateDone, populating.get(),
                             &populating->work) != napi_ok ||
      napi_queue_async_work(args.env(), populating->work) != napi_ok)
    throw std::runtime_error("the file cannot be read in the background");
  populating.release();
  return promise;
}

}  // namespace

void defineMapping(napi_env env, napi_value exports) {
  define(env, exports, "mapFile", guarded<mapFile>);
  define(env, exports, "isIntact", guarded<isIntact>);
  define(env, exports, "isResident", guarded<isResident>);
  define(env, exports, "populate", guarded<populate>);
}

}  // namespace lectern
