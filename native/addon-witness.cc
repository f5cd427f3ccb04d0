// Converts between JavaScript and witness.h. It uses Node-API as C: between witness_arm() and witness_disarm() nothing
// may run but the callback.
#include "addon-witness.h"

#include <string.h>

namespace {

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

napi_value number(napi_env env, double value) {
  napi_value converted = nullptr;
  napi_create_double(env, value, &converted);
  return converted;
}

napi_value text(napi_env env, const char* value) {
  napi_value converted = nullptr;
  if (value == nullptr) {
    napi_get_null(env, &converted);
  } else {
    napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &converted);
  }
  return converted;
}

// Returns the memory of a typed array if it is of that type and long enough, else null.
void* memory_of(napi_env env, napi_value array, napi_typedarray_type type, size_t length) {
  napi_typedarray_type actual;
  size_t has = 0;
  void* memory = nullptr;
  const napi_status status = napi_get_typedarray_info(env, array, &actual, &has, &memory, nullptr, nullptr);
  return status == napi_ok && actual == type && has >= length ? memory : nullptr;
}

napi_value refused(napi_env env, const WitnessRefusal& refusal) {
  napi_value report = nullptr;
  napi_create_object(env, &report);
  set(env, report, "refusedBy", text(env, refusal.call));
  set(env, report, "errno", number(env, static_cast<double>(refusal.result)));
  return report;
}

// The words of a list before its first call: the number of calls, of those dropped, and whether it is complete.
constexpr size_t HEADER = 3;
constexpr size_t WORDS_PER_CALL = sizeof(WitnessedCall) / sizeof(int64_t);

// run(callback: () => unknown, limit: number, words: BigInt64Array, previews: Uint8Array)
napi_value run(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value arguments[4], undefined, result = nullptr;
  void* data;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  napi_get_undefined(env, &undefined);
  napi_valuetype type;
  uint32_t limit;
  if (napi_typeof(env, arguments[0], &type) != napi_ok || type != napi_function ||
      napi_get_value_uint32(env, arguments[1], &limit) != napi_ok) {
    napi_throw_type_error(env, nullptr, "give a function and a limit");
    return nullptr;
  }
  Witness* const witness = static_cast<Witness*>(data);
  const WitnessRefusal refusal = witness_arm(witness, limit);
  if (refusal.call != nullptr) {
    auto* const words = static_cast<int64_t*>(memory_of(env, arguments[2], napi_bigint64_array, HEADER));
    if (words != nullptr) words[0] = -1;
    return refused(env, refusal);
  }
  const napi_status status = napi_call_function(env, undefined, arguments[0], 0, nullptr, &result);
  const WitnessReport list = witness_disarm(witness);
  // Its exception is pending, and goes on as it is. A thread that is being terminated has none, and runs no JavaScript.
  if (status != napi_ok) return nullptr;

  // The caller owns the memory and uses it again. Look at it only now: the callback may have detached it.
  auto* const words = static_cast<int64_t*>(
      memory_of(env, arguments[2], napi_bigint64_array, HEADER + list.count * WORDS_PER_CALL));
  void* const previews = memory_of(env, arguments[3], napi_uint8_array, list.count * WITNESS_PREVIEW);
  if (words == nullptr || previews == nullptr) {
    napi_throw_type_error(env, nullptr, "the arrays are too short for the list");
    return nullptr;
  }
  words[0] = list.count;
  words[1] = static_cast<int64_t>(list.dropped);
  words[2] = list.complete;
  memcpy(words + HEADER, list.calls, list.count * sizeof(WitnessedCall));
  memcpy(previews, list.previews, list.count * WITNESS_PREVIEW);
  return result;
}

// probe(): null, or why there is no witness
napi_value probe(napi_env env, napi_callback_info info) {
  void* data;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  const WitnessRefusal refusal = witness_probe(static_cast<Witness*>(data));
  return refusal.call == nullptr ? text(env, nullptr) : refused(env, refusal);
}

// locate(address: bigint)
napi_value locate(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument, found = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  uint64_t address;
  bool is_lossless;
  if (napi_get_value_bigint_uint64(env, argument, &address, &is_lossless) != napi_ok) {
    napi_throw_type_error(env, nullptr, "address must be a bigint");
    return nullptr;
  }
  WitnessPlace place;
  if (!witness_locate(static_cast<uintptr_t>(address), &place)) return text(env, nullptr);
  napi_create_object(env, &found);
  set(env, found, "file", text(env, place.file));
  set(env, found, "symbol", text(env, place.symbol));
  set(env, found, "offset", number(env, static_cast<double>(place.offset)));
  return found;
}

// names(is32bit: boolean): the names in the order of their numbers, one blank between two
napi_value names(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  bool is_32bit = false;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  napi_get_value_bool(env, argument, &is_32bit);
  return text(env, witness_names(is_32bit));
}

}  // namespace

napi_value witness_exports(napi_env env, Witness* witness) {
  napi_value exports = nullptr;
  napi_create_object(env, &exports);
  const struct {
    const char* name;
    napi_callback call;
  } functions[] = {{"run", run}, {"probe", probe}, {"locate", locate}, {"names", names}};
  for (const auto& [name, call] : functions) {
    napi_value function = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, call, witness, &function);
    set(env, exports, name, function);
  }
  return exports;
}
