// JavaScript values to C and back. No policy here, and no assembly: that is in arch/.
#include <napi.h>

#include <cmath>
#include <limits>

#include "raw.h"

namespace {

Napi::Value Refuse(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
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

// write(fd: number, bytes: Uint8Array): number
Napi::Value Write(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int fd;
  if (!ToDescriptor(info[0], &fd)) return Refuse(env, "fd must be a 32-bit integer");

  // The C function rather than the class: it gives a subarray's own bytes in one call, and null for
  // the buffer we do not ask about spares a handle.
  napi_typedarray_type type;
  size_t length;
  void* bytes;
  const napi_status status =
      napi_get_typedarray_info(env, info[1], &type, &length, &bytes, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array)
    return Refuse(env, "bytes must be a Uint8Array");

  return Napi::Number::New(env, static_cast<double>(raw_write(fd, bytes, length)));
}

// code(): Uint8Array, a copy of the instruction's machine code as it lies in memory
Napi::Value Code(const Napi::CallbackInfo& info) {
  const RawCode code = raw_code();
  return Napi::Buffer<unsigned char>::Copy(info.Env(), code.begin, code.size);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("write", Napi::Function::New<Write>(env, "write"));
  exports.Set("code", Napi::Function::New<Code>(env, "code"));
  return exports;
}

NODE_API_MODULE(syswire, Init)

}  // namespace
