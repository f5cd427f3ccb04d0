// A program of musl that plays the part of Node for the addon: it loads the addon with musl's loader, and has as much of
// Node-API as the addon uses to export its functions and to write. For test/native/musl.test.ts, which also links a
// function that aborts for each function of Node-API that is not here.
//   musl-host ADDON levels      writes at each level to stdout, the results to stderr
//   musl-host ADDON watchdog    starts the watchdog, and gets stuck in a handler of SIGTERM
#include <node_api.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Every value is one of these; a function has a callback, and an array of bytes has bytes.
struct napi_value__ {
  napi_valuetype type;
  double number;
  uint64_t big;
  const char* text;
  napi_callback callback;
  void* data;
  const unsigned char* bytes;
  size_t length;
  struct {
    const char* name;
    napi_value value;
  } properties[16];
  int count;
};
struct napi_callback_info__ {
  napi_value function, arguments[3];
};

static void* instance;
static node_api_basic_finalize finalize;

static napi_value make(napi_valuetype type) {
  napi_value value = calloc(1, sizeof *value);
  value->type = type;
  return value;
}
static napi_status give(napi_value* result, napi_value value) {
  *result = value;
  return napi_ok;
}

napi_status napi_create_object(napi_env env, napi_value* result) { return give(result, make(napi_object)); }
napi_status napi_get_undefined(napi_env env, napi_value* result) { return give(result, make(napi_undefined)); }
napi_status napi_create_double(napi_env env, double number, napi_value* result) {
  give(result, make(napi_number));
  (*result)->number = number;
  return napi_ok;
}
napi_status napi_create_string_utf8(napi_env env, const char* text, size_t length, napi_value* result) {
  give(result, make(napi_string));
  (*result)->text = strdup(text);
  return napi_ok;
}
napi_status napi_create_function(napi_env env, const char* name, size_t length, napi_callback callback, void* data,
                                 napi_value* result) {
  give(result, make(napi_function));
  (*result)->callback = callback;
  (*result)->data = data;
  return napi_ok;
}
napi_status napi_set_named_property(napi_env env, napi_value object, const char* name, napi_value value) {
  if (object->count == 16) abort();
  object->properties[object->count].name = strdup(name);
  object->properties[object->count++].value = value;
  return napi_ok;
}
napi_status napi_typeof(napi_env env, napi_value value, napi_valuetype* result) {
  *result = value->type;
  return napi_ok;
}
napi_status napi_get_value_double(napi_env env, napi_value value, double* result) {
  *result = value->number;
  return napi_ok;
}
napi_status napi_get_value_uint32(napi_env env, napi_value value, uint32_t* result) {
  *result = (uint32_t)value->number;
  return napi_ok;
}
napi_status napi_get_typedarray_info(napi_env env, napi_value array, napi_typedarray_type* type, size_t* length,
                                     void** bytes, napi_value* buffer, size_t* offset) {
  if (!array->bytes) return napi_invalid_arg;
  *type = napi_uint8_array;
  *length = array->length;
  *bytes = (void*)array->bytes;
  *buffer = array;
  return napi_ok;
}
napi_status napi_is_arraybuffer(napi_env env, napi_value value, bool* result) {
  *result = value->bytes != NULL;
  return napi_ok;
}
napi_status napi_get_cb_info(napi_env env, napi_callback_info info, size_t* count, napi_value* arguments,
                             napi_value* receiver, void** data) {
  if (count && arguments)
    for (size_t i = 0; i < *count; i++) arguments[i] = i < 3 ? info->arguments[i] : make(napi_undefined);
  if (count) *count = 3;
  if (receiver) *receiver = make(napi_undefined);
  if (data) *data = info->function->data;
  return napi_ok;
}
napi_status napi_get_new_target(napi_env env, napi_callback_info info, napi_value* result) {
  return give(result, NULL);
}
napi_status napi_throw_type_error(napi_env env, const char* code, const char* message) {
  fprintf(stderr, "TypeError: %s\n", message);
  return napi_ok;
}
napi_status napi_set_instance_data(napi_env env, void* data, napi_finalize done, void* hint) {
  instance = data;
  finalize = (node_api_basic_finalize)done;
  return napi_ok;
}
// A method of typed arrays, which the addon keeps for views that are out of bounds: here is none.
napi_status napi_run_script(napi_env env, napi_value script, napi_value* result) {
  return give(result, make(napi_function));
}
napi_status napi_create_reference(napi_env env, napi_value value, uint32_t count, napi_ref* result) {
  *result = (napi_ref)value;
  return napi_ok;
}
napi_status napi_delete_reference(napi_env env, napi_ref reference) { return napi_ok; }
napi_status napi_open_handle_scope(napi_env env, napi_handle_scope* result) {
  *result = NULL;
  return napi_ok;
}
napi_status napi_close_handle_scope(napi_env env, napi_handle_scope scope) { return napi_ok; }

static napi_value get(napi_value object, const char* name) {
  for (int i = 0; i < object->count; i++)
    if (strcmp(object->properties[i].name, name) == 0) return object->properties[i].value;
  fprintf(stderr, "there is no %s\n", name);
  exit(1);
}
static napi_value call(napi_value object, const char* name, napi_value first, napi_value second) {
  struct napi_callback_info__ info = {get(object, name), {first, second, make(napi_undefined)}};
  return info.function->callback(NULL, &info);
}
static napi_value number(double value) {
  napi_value result;
  napi_create_double(NULL, value, &result);
  return result;
}
static napi_value bytes(const char* text) {
  napi_value result = make(napi_object);
  result->bytes = (const unsigned char*)text;
  result->length = strlen(text);
  return result;
}

static void write_at(const char* id, napi_value level) {
  char text[64];
  snprintf(text, sizeof text, "%s under musl\n", id);
  fprintf(stderr, "%s %g", id, call(level, "write", number(1), bytes(text))->number);
  fprintf(stderr, " %g\n", call(level, "write", number(-1), bytes(text))->number);
}

static void stuck(int signal) {
  for (;;) pause();
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  void* addon = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!addon) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  napi_addon_register_func init = (napi_addon_register_func)dlsym(addon, "napi_register_module_v1");
  napi_value exports = init(NULL, make(napi_object));

  if (strcmp(arguments[2], "watchdog") == 0) {
    signal(SIGTERM, stuck);
    call(get(exports, "watchdog"), "start", number(1), make(napi_undefined));
    raise(SIGTERM);
    return 1;
  }
  write_at("raw", exports);
  napi_value int80 = get(exports, "int80");
  if (get(call(int80, "probe", NULL, NULL), "result")->number == -9) write_at("int80", int80);
  napi_value uring = get(exports, "uring");
  if (get(call(uring, "probe", NULL, NULL), "result")->number == 0) write_at("uring", uring);
  finalize(NULL, instance, NULL);

  FILE* maps = fopen("/proc/self/maps", "r");
  char line[4096];
  char last[4096] = "";
  while (fgets(line, sizeof line, maps)) {
    const char* file = strchr(line, '/');
    if (file && strcmp(file, last) != 0) fprintf(stderr, "file %s", strcpy(last, file));
  }
  return 0;
}
