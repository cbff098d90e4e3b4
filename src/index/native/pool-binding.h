// Work of the pool as promises of JavaScript.
//
// A function that searches makes a `Job` of its arguments, all of them checked, and hands it to `dispatch`: what the job
// reads is pinned until its promise is settled, so that neither the collector nor a larger array in its place takes the
// memory away. Who calls sees to it that nobody writes to what a job reads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "pool.h"

namespace lectern {

class Job : public Work {
 public:
  /** What the promise gives; on the thread of JavaScript. nullptr for undefined. */
  virtual napi_value answer(napi_env env) = 0;

  /** What belongs to `dispatch`. */
  napi_deferred deferred = nullptr;
  napi_ref pin = nullptr;
};

/**
 * A promise of the job's answer; rejected with an Error where it throws. `pinned` is one object through which everything
 * is reached that the job reads.
 */
napi_value dispatch(Arguments& args, std::shared_ptr<Job> job, napi_value pinned);

/** All arguments of a call in one array, for `dispatch`, and what else was found through them. */
napi_value pinnedArguments(Arguments& args, const std::vector<napi_value>& others = {});

/** Adds the functions of the pool. */
void definePool(napi_env env, napi_value exports);

}  // namespace lectern
