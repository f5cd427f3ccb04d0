// Converts JavaScript values to C and results back. The assembly is in arch/, all decisions are in src/syscalls/.
// Node-API: https://nodejs.org/api/n-api.html
#include <napi.h>

#include <limits>

#include "addon-witness.h"
#include "int80.h"
#include "raw.h"
#include "uring.h"
#include "watchdog.h"

namespace {

// One per thread that loads the addon (Node-API: one per environment).
struct State {
  Int80 int80;
  Uring uring;
  Witness witness;
  Napi::FunctionReference typed_array_at;  // %TypedArray%.prototype.at

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    witness_close(&witness);
    int80_close(&int80);
    uring_close(&uring);
  }
};

// cold and noinline: keep the error path out of the code of a successful call.
[[gnu::cold, gnu::noinline]] Napi::Value ThrowTypeError(Napi::Env env, const char* message) {
  // Not Napi::TypeError: it creates one more handle, and it may end the process in a thread that can no longer throw.
  napi_throw_type_error(env, nullptr, message);
  return env.Undefined();
}

// Not napi_get_value_int32: it turns NaN into 0, so the write would go to standard input.
bool ToDescriptor(const Napi::Value& value, int* fd) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  using Range = std::numeric_limits<int>;
  // Written so that NaN is refused. Not std::trunc: without an instruction for it, that is a function of libm.
  if (!(number >= Range::min() && number <= Range::max())) return false;
  *fd = static_cast<int>(number);
  return *fd == number;
}

bool ToUnsigned(const Napi::Value& value, uint64_t* number) {
  if (!value.IsBigInt()) return false;
  bool is_lossless;
  *number = value.As<Napi::BigInt>().Uint64Value(&is_lossless);
  return is_lossless;
}

// Returns true, with an exception pending, if an empty view is out of bounds: its buffer was detached, or was resized
// to end before the view begins. Node-API reports only detached buffers. So call a method of the view: each method
// checks for both and throws (ValidateTypedArray, https://tc39.es/ecma262/#sec-validatetypedarray).
// The exception is passed on as it is: at the end of the stack it is a RangeError, not a TypeError.
bool IsOutOfBounds(Napi::Env env, State* state, napi_value view) {
  napi_value unused;
  return napi_call_function(env, view, state->typed_array_at.Value(), 0, nullptr, &unused) != napi_ok;
}

constexpr char NO_CONSTRUCTOR[] = "not a constructor: call it without new";
constexpr char NO_DESCRIPTOR[] = "fd must be a 32-bit integer";

// The three levels behind one signature, so that one template exports each of them.
using Call = intptr_t (*)(State*, int fd, const void* bytes, size_t count);
intptr_t ByRaw(State*, int fd, const void* bytes, size_t count) { return raw_write(fd, bytes, count); }
intptr_t ByInt80(State* state, int fd, const void* bytes, size_t count) {
  return int80_write(&state->int80, fd, bytes, count);
}
intptr_t ByUring(State* state, int fd, const void* bytes, size_t count) {
  return uring_write(&state->uring, fd, bytes, count);
}

// write(fd: number, bytes: Uint8Array): number
template <Call call>
Napi::Value Write(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.IsConstructCall()) return ThrowTypeError(env, NO_CONSTRUCTOR);
  int fd;
  if (!ToDescriptor(info[0], &fd)) return ThrowTypeError(env, NO_DESCRIPTOR);

  // Not Napi::Uint8Array: the C function returns a subarray's own bytes in one call. A resizable buffer is accepted: no
  // JavaScript runs before the bytes are written, so nothing can resize it. (WebIDL refuses resizable buffers, because
  // its callees may keep the pointer.)
  napi_typedarray_type type;
  size_t length;
  void* bytes;
  napi_value buffer;
  const napi_status status = napi_get_typedarray_info(env, info[1], &type, &length, &bytes, &buffer, nullptr);
  if (status != napi_ok || type != napi_uint8_array) return ThrowTypeError(env, "bytes must be a Uint8Array");
  // Refuse a SharedArrayBuffer: another thread may change its bytes during the call, so a record could not say which
  // bytes were written.
  bool is_array_buffer;
  if (napi_is_arraybuffer(env, buffer, &is_array_buffer) != napi_ok || !is_array_buffer)
    return ThrowTypeError(env, "bytes must not be of a SharedArrayBuffer");
  State* const state = static_cast<State*>(info.Data());
  if (length == 0 && IsOutOfBounds(env, state, info[1])) return env.Undefined();

  return Napi::Number::New(env, static_cast<double>(call(state, fd, bytes, length)));
}

// writeFrom(fd: number, address: bigint, count: bigint): number
// For src/syscalls/hostile.ts. The address is passed on without a check, so that it can be an invalid one.
template <Call call>
Napi::Value WriteFrom(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.IsConstructCall()) return ThrowTypeError(env, NO_CONSTRUCTOR);
  int fd;
  if (!ToDescriptor(info[0], &fd)) return ThrowTypeError(env, NO_DESCRIPTOR);
  uint64_t address, count;
  if (!ToUnsigned(info[1], &address) || !ToUnsigned(info[2], &count))
    return ThrowTypeError(env, "address and count must be bigints from 0 to 2**64 - 1");
  State* const state = static_cast<State*>(info.Data());
  return Napi::Number::New(env, static_cast<double>(call(state, fd, reinterpret_cast<void*>(address), count)));
}

// code(): Uint8Array, a copy of the instruction's machine code from this process's memory
template <MachineCode (*read)()>
Napi::Value Code(const Napi::CallbackInfo& info) {
  const MachineCode code = read();
  return Napi::Buffer<unsigned char>::Copy(info.Env(), code.begin, code.size);
}

// address(): bigint, the address of that machine code
template <MachineCode (*read)()>
Napi::Value Address(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(reinterpret_cast<uintptr_t>(read().begin)));
}

// int80.probe(): { call: string, result: number, signal: number }
Napi::Value ProbeInt80(const Napi::CallbackInfo& info) {
  const Int80Probe probe = int80_probe();
  const Napi::Object report = Napi::Object::New(info.Env());
  report.Set("call", probe.call);
  report.Set("result", static_cast<double>(probe.result));
  report.Set("signal", probe.signal);
  return report;
}

// uring.probe(): { call: string, result: number }
Napi::Value ProbeUring(const Napi::CallbackInfo& info) {
  const char* call = "";
  const intptr_t result = uring_probe(&static_cast<State*>(info.Data())->uring, &call);
  const Napi::Object report = Napi::Object::New(info.Env());
  report.Set("call", call);
  report.Set("result", static_cast<double>(result));
  return report;
}

// watchdog.start(seconds: number), watchdog.feed(): see watchdog.h
Napi::Value StartWatchdog(const Napi::CallbackInfo& info) {
  watchdog_start(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value FeedWatchdog(const Napi::CallbackInfo& info) {
  watchdog_feed();
  return info.Env().Undefined();
}

template <Call call, MachineCode (*read)()>
void Export(Napi::Env env, Napi::Object level, State* state) {
  level.Set("write", Napi::Function::New<Write<call>>(env, "write", state));
  level.Set("writeFrom", Napi::Function::New<WriteFrom<call>>(env, "writeFrom", state));
  level.Set("code", Napi::Function::New<Code<read>>(env, "code"));
  level.Set("address", Napi::Function::New<Address<read>>(env, "address"));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  State* const state = new State;
  env.SetInstanceData(state);  // Node-API deletes it when the thread ends
  state->typed_array_at = Napi::Persistent(env.RunScript("Uint8Array.prototype.at").As<Napi::Function>());

  Export<ByRaw, raw_code>(env, exports, state);
  const Napi::Object int80 = Napi::Object::New(env);
  Export<ByInt80, int80_code>(env, int80, state);
  int80.Set("probe", Napi::Function::New<ProbeInt80>(env, "probe"));
  exports.Set("int80", int80);
  const Napi::Object uring = Napi::Object::New(env);
  Export<ByUring, uring_code>(env, uring, state);
  uring.Set("probe", Napi::Function::New<ProbeUring>(env, "probe", state));
  exports.Set("uring", uring);
  const Napi::Object watchdog = Napi::Object::New(env);
  watchdog.Set("start", Napi::Function::New<StartWatchdog>(env, "start"));
  watchdog.Set("feed", Napi::Function::New<FeedWatchdog>(env, "feed"));
  exports.Set("watchdog", watchdog);
  exports.Set("witness", Napi::Value(env, witness_exports(env, &state->witness)));
  return exports;
}

NODE_API_MODULE(syswire, Init)

}  // namespace
