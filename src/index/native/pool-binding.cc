// The pool for JavaScript: see vector-addon.ts, which has its types.
#include "pool-binding.h"

#include <stdexcept>
#include <utility>
#include <vector>

namespace lectern {

namespace {

constexpr double kMostThreads = 256;

/** The way back to one thread of JavaScript. It lives as long as the process: threads may be about to call it. */
class Channel : public Customer {
 public:
  explicit Channel(napi_env env) : env_(env) {
    napi_value name = nullptr;
    if (napi_create_string_utf8(env, "lectern search", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, deliver, &call_) !=
            napi_ok)
      throw std::runtime_error("searches cannot run in the background");
    // Only who waits for an answer keeps the process alive.
    napi_unref_threadsafe_function(env, call_);
    napi_add_env_cleanup_hook(env, close, this);
  }

  napi_value dispatch(std::shared_ptr<Job> job, napi_value pinned) {
    napi_value promise = nullptr;
    if (napi_create_promise(env_, &job->deferred, &promise) != napi_ok ||
        napi_create_reference(env_, pinned, 1, &job->pin) != napi_ok)
      throw std::runtime_error("a search cannot run in the background");
    if (waiting_++ == 0) napi_ref_threadsafe_function(env_, call_);
    Pool::shared().submit(std::move(job), *this);
    return promise;
  }

  void done(std::shared_ptr<Work> work, std::string failure) override {
    bool isFirst = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      isFirst = ended_.empty();
      ended_.push_back({std::static_pointer_cast<Job>(std::move(work)), std::move(failure)});
    }
    // Whoever is called for the first takes the others along.
    if (isFirst) napi_call_threadsafe_function(call_, nullptr, napi_tsfn_nonblocking);
  }

 private:
  struct Ended {
    std::shared_ptr<Job> job;
    std::string failure;
  };

  static void deliver(napi_env env, napi_value, void* context, void*) {
    // Without an environment the thread of JavaScript is at its end, and nobody waits.
    if (env != nullptr) static_cast<Channel*>(context)->settleAll();
  }

  void settleAll() {
    std::vector<Ended> ended;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ended.swap(ended_);
    }
    for (Ended& one : ended) settle(*one.job, one.failure);
    waiting_ -= ended.size();
    if (waiting_ == 0 && !ended.empty()) napi_unref_threadsafe_function(env_, call_);
  }

  void settle(Job& job, const std::string& failure) {
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(env_, &scope);
    napi_value value = nullptr;
    if (failure.empty()) {
      value = job.answer(env_);
      if (value == nullptr) napi_get_undefined(env_, &value);
      napi_resolve_deferred(env_, job.deferred, value);
    } else {
      napi_value text = nullptr;
      napi_create_string_utf8(env_, failure.c_str(), failure.size(), &text);
      napi_create_error(env_, nullptr, text, &value);
      napi_reject_deferred(env_, job.deferred, value);
    }
    napi_delete_reference(env_, job.pin);
    napi_close_handle_scope(env_, scope);
  }

  /** The thread of JavaScript ends, and its memory with it: nothing may be read any more. */
  static void close(void* data) {
    auto* channel = static_cast<Channel*>(data);
    Pool::shared().withdraw(*channel);
    napi_release_threadsafe_function(channel->call_, napi_tsfn_abort);
  }

  napi_env env_;
  napi_threadsafe_function call_ = nullptr;
  /** Promises that are not settled. */
  size_t waiting_ = 0;
  std::mutex mutex_;
  std::vector<Ended> ended_;
};

/** That of this thread of JavaScript. */
Channel& channelOf(napi_env env) {
  void* known = nullptr;
  if (napi_get_instance_data(env, &known) == napi_ok && known != nullptr) return *static_cast<Channel*>(known);
  auto channel = std::make_unique<Channel>(env);
  if (napi_set_instance_data(env, channel.get(), nullptr, nullptr) != napi_ok)
    throw std::runtime_error("searches cannot run in the background");
  return *channel.release();
}

/** poolThreads(threads): how many threads the promises of this process are worked out by. */
napi_value poolThreads(Arguments& args) {
  const size_t threads = args.whole(0, "threads", kMostThreads);
  if (!args.failed()) Pool::shared().resize(threads);
  return nullptr;
}

class Failing : public Job {
 public:
  void run(size_t, size_t) override { throw std::runtime_error("as asked"); }
  napi_value answer(napi_env) override { return nullptr; }
};

/** poolFail(): for tests, a promise that a thread of the pool rejects. */
napi_value poolFail(Arguments& args) {
  return dispatch(args, std::make_shared<Failing>(), pinnedArguments(args));
}

}  // namespace

napi_value dispatch(Arguments& args, std::shared_ptr<Job> job, napi_value pinned) {
  return channelOf(args.env()).dispatch(std::move(job), pinned);
}

napi_value pinnedArguments(Arguments& args, const std::vector<napi_value>& others) {
  napi_value all = nullptr;
  uint32_t count = 0;
  bool isPinned = napi_create_array(args.env(), &all) == napi_ok;
  const auto add = [&](napi_value one) { isPinned = isPinned && napi_set_element(args.env(), all, count++, one) == napi_ok; };
  for (size_t i = 0; i < Arguments::kMost && args.at(i) != nullptr; i++) add(args.at(i));
  for (const napi_value one : others) add(one);
  if (!isPinned) throw std::runtime_error("what a search reads cannot be pinned");
  return all;
}

void definePool(napi_env env, napi_value exports) {
  define(env, exports, "poolThreads", guarded<poolThreads>);
  define(env, exports, "poolFail", guarded<poolFail>);
}

}  // namespace lectern
