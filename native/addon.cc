// JavaScript values to C and back. No policy here, and no assembly: that is in arch/.
#include <napi.h>

#include <cmath>
#include <limits>

#include "int80.h"
#include "raw.h"
#include "uring.h"

namespace {

// One per environment, that is one per thread that loads the addon.
struct State {
  Int80 int80;
  Uring uring;
  Napi::FunctionReference at;  // %TypedArray%.prototype.at

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    int80_close(&int80);
    uring_close(&uring);
  }
};

// Out of line, so that a call that is made does not pay for those that are refused.
[[gnu::cold, gnu::noinline]] Napi::Value Refuse(Napi::Env env, const char* message) {
  // The C function rather than the class, which makes a handle more, and may end the process where it cannot throw.
  napi_throw_type_error(env, nullptr, message);
  return env.Undefined();
}

// napi_get_value_int32 turns NaN into 0, which would be a write to standard input.
bool ToDescriptor(const Napi::Value& value, int* fd) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  if (number != std::trunc(number) || number < std::numeric_limits<int>::min() ||
      number > std::numeric_limits<int>::max())
    return false;
  *fd = static_cast<int>(number);
  return true;
}

bool ToUnsigned(const Napi::Value& value, uint64_t* number) {
  if (!value.IsBigInt()) return false;
  bool is_whole;
  *number = value.As<Napi::BigInt>().Uint64Value(&is_whole);
  return is_whole;
}

// Whether a view is empty because its buffer was detached, or shrank from under it. Node-API tells of the first only;
// every method of a view begins with a look at both: ValidateTypedArray, https://tc39.es/ecma262/#sec-validatetypedarray
// Its TypeError stays as it is, since it may be a RangeError: the end of the stack comes in here, too.
bool IsOutOfBounds(Napi::Env env, State* state, napi_value view) {
  napi_value nothing;
  return napi_call_function(env, view, state->at.Value(), 0, nullptr, &nothing) != napi_ok;
}

constexpr char NO_CONSTRUCTOR[] = "not a constructor: call it without new";
constexpr char NO_DESCRIPTOR[] = "fd must be a 32-bit integer";

// What each level does with a descriptor and bytes.
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
  if (info.IsConstructCall()) return Refuse(env, NO_CONSTRUCTOR);
  int fd;
  if (!ToDescriptor(info[0], &fd)) return Refuse(env, NO_DESCRIPTOR);

  // The C function rather than the class: it gives a subarray's own bytes in one call. No JavaScript runs until they
  // are written, so a resizable buffer stays as it is; WebIDL refuses those as well, for callees that keep a pointer.
  napi_typedarray_type type;
  size_t length;
  void* bytes;
  napi_value buffer;
  const napi_status status = napi_get_typedarray_info(env, info[1], &type, &length, &bytes, &buffer, nullptr);
  if (status != napi_ok || type != napi_uint8_array) return Refuse(env, "bytes must be a Uint8Array");
  // Another thread may change shared bytes while they are written: nobody could say what was.
  bool is_own;
  if (napi_is_arraybuffer(env, buffer, &is_own) != napi_ok || !is_own)
    return Refuse(env, "bytes must not be of a SharedArrayBuffer");
  State* const state = static_cast<State*>(info.Data());
  if (length == 0 && IsOutOfBounds(env, state, info[1])) return env.Undefined();

  return Napi::Number::New(env, static_cast<double>(call(state, fd, bytes, length)));
}

// writeFrom(fd: number, address: bigint, count: bigint): number, for src/syscalls/hostile.ts: the address is
// taken as it is, whatever lies there.
template <Call call>
Napi::Value WriteFrom(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.IsConstructCall()) return Refuse(env, NO_CONSTRUCTOR);
  int fd;
  if (!ToDescriptor(info[0], &fd)) return Refuse(env, NO_DESCRIPTOR);
  uint64_t address, count;
  if (!ToUnsigned(info[1], &address) || !ToUnsigned(info[2], &count))
    return Refuse(env, "address and count must be bigints from 0 to 2**64 - 1");
  State* const state = static_cast<State*>(info.Data());
  return Napi::Number::New(env, static_cast<double>(call(state, fd, reinterpret_cast<void*>(address), count)));
}

// code(): Uint8Array, a copy of the instruction's machine code as it lies in memory
template <MachineCode (*read)()>
Napi::Value Code(const Napi::CallbackInfo& info) {
  const MachineCode code = read();
  return Napi::Buffer<unsigned char>::Copy(info.Env(), code.begin, code.size);
}

// address(): bigint, where that machine code lies
template <MachineCode (*read)()>
Napi::Value Address(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), static_cast<uint64_t>(reinterpret_cast<uintptr_t>(read().begin)));
}

// int80.probe(): { call: string, result: number, signal: number }
Napi::Value ProbeInt80(const Napi::CallbackInfo& info) {
  const Int80Probe probe = int80_probe();
  const Napi::Object told = Napi::Object::New(info.Env());
  told.Set("call", probe.call);
  told.Set("result", static_cast<double>(probe.result));
  told.Set("signal", probe.signal);
  return told;
}

// uring.probe(): { call: string, result: number }
Napi::Value ProbeUring(const Napi::CallbackInfo& info) {
  const char* call = "";
  const intptr_t result = uring_probe(&static_cast<State*>(info.Data())->uring, &call);
  const Napi::Object told = Napi::Object::New(info.Env());
  told.Set("call", call);
  told.Set("result", static_cast<double>(result));
  return told;
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
  env.SetInstanceData(state);  // and deleted with the environment
  state->at = Napi::Persistent(env.RunScript("Uint8Array.prototype.at").As<Napi::Function>());

  Export<ByRaw, raw_code>(env, exports, state);
  const Napi::Object int80 = Napi::Object::New(env);
  Export<ByInt80, int80_code>(env, int80, state);
  int80.Set("probe", Napi::Function::New<ProbeInt80>(env, "probe"));
  exports.Set("int80", int80);
  const Napi::Object uring = Napi::Object::New(env);
  Export<ByUring, uring_code>(env, uring, state);
  uring.Set("probe", Napi::Function::New<ProbeUring>(env, "probe", state));
  exports.Set("uring", uring);
  return exports;
}

NODE_API_MODULE(syswire, Init)

}  // namespace
