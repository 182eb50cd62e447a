#include "files/hdf5_library.h"

#include <array>
#include <cctype>
#include <stdexcept>
#include <utility>

#include "model/work_counts.h"

namespace h5bridge::hdf5 {
namespace {

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

// Only touched with Library held.
std::exception_ptr& kept_error() {
  static std::exception_ptr error;
  return error;
}

Handle made(hid_t id) { return checked_handle<SystemFailure>(id, "making an HDF5 type failed"); }

Handle copied(hid_t type) { return made(H5Tcopy(type)); }

Handle half() {
  Handle type = copied(H5T_IEEE_F32LE);
  H5Tset_fields(type.id(), 15, 10, 5, 0, 10);
  H5Tset_size(type.id(), 2);
  H5Tset_ebias(type.id(), 15);
  return type;
}

Handle boolean() {
  Handle type = made(H5Tenum_create(H5T_STD_I8LE));
  const signed char no = 0, yes = 1;
  H5Tenum_insert(type.id(), "FALSE", &no);
  H5Tenum_insert(type.id(), "TRUE", &yes);
  return type;
}

Handle complex_of(hid_t part) {
  const std::size_t size = H5Tget_size(part);
  Handle type = made(H5Tcreate(H5T_COMPOUND, 2 * size));
  H5Tinsert(type.id(), "r", 0, part);
  H5Tinsert(type.id(), "i", size, part);
  return type;
}

Handle opaque(DType dtype) {
  Handle type = made(H5Tcreate(H5T_OPAQUE, size_of(dtype)));
  H5Tset_tag(type.id(), std::string(name_of(dtype)).c_str());
  return type;
}

struct Row {
  DType dtype;
  Handle (*type)();
};

constexpr std::array<Row, 17> kTypes{{
    {DType::Float64, [] { return copied(H5T_IEEE_F64LE); }},
    {DType::Float32, [] { return copied(H5T_IEEE_F32LE); }},
    {DType::Float16, half},
    {DType::BFloat16, [] { return opaque(DType::BFloat16); }},
    {DType::Float8E4M3FN, [] { return opaque(DType::Float8E4M3FN); }},
    {DType::Float8E5M2, [] { return opaque(DType::Float8E5M2); }},
    {DType::Int64, [] { return copied(H5T_STD_I64LE); }},
    {DType::Int32, [] { return copied(H5T_STD_I32LE); }},
    {DType::Int16, [] { return copied(H5T_STD_I16LE); }},
    {DType::Int8, [] { return copied(H5T_STD_I8LE); }},
    {DType::UInt64, [] { return copied(H5T_STD_U64LE); }},
    {DType::UInt32, [] { return copied(H5T_STD_U32LE); }},
    {DType::UInt16, [] { return copied(H5T_STD_U16LE); }},
    {DType::UInt8, [] { return copied(H5T_STD_U8LE); }},
    {DType::Bool, boolean},
    {DType::Complex64, [] { return complex_of(H5T_IEEE_F32LE); }},
    {DType::Complex128, [] { return complex_of(H5T_IEEE_F64LE); }},
}};

bool equals_in_big_endian(hid_t type, hid_t little_endian) {
  const H5T_class_t kind = H5Tget_class(little_endian);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return false;
  return H5Tset_order(little_endian, H5T_ORDER_BE) >= 0 && H5Tequal(type, little_endian) > 0;
}

/// h5py writes bfloat16 as two opaque bytes without a tag, because numpy itself has no such type.
bool is_untagged_pair(hid_t type) {
  if (H5Tget_class(type) != H5T_OPAQUE || H5Tget_size(type) != size_of(DType::BFloat16)) return false;
  char* const tag = H5Tget_tag(type);
  const bool untagged = tag != nullptr && *tag == '\0';
  H5free_memory(tag);
  return untagged;
}

}  // namespace

Library::Library() : lock_(library_mutex()) {
  ++work().hdf5_uses;
  kept_error() = nullptr;  // of a call that went on without the bytes
  // At exit the library would close what a malformed file made it unable to close, and print about it.
  static const herr_t no_clean_up = H5dont_atexit();
  static_cast<void>(no_clean_up);
  H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLget_loading_state(&plugins_);
  H5PLset_loading_state(0);
}

Library::~Library() {
  H5PLset_loading_state(plugins_);
  H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
}

Handle::~Handle() {
  if (id_ < 0) return;
  const Library library;
  H5Idec_ref(id_);
}

void keep_little_metadata(hid_t access) {
  H5AC_cache_config_t cache{};
  cache.version = H5AC__CURR_CACHE_CONFIG_VERSION;
  checked<SystemFailure>(H5Pget_mdc_config(access, &cache), "getting the metadata cache of HDF5");
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  cache.set_initial_size = true;
  cache.initial_size = cache.min_size = cache.max_size = kBytes;
  checked<SystemFailure>(H5Pset_mdc_config(access, &cache), "setting the metadata cache of HDF5");
}

void keep_error(std::exception_ptr error) {
  if (!kept_error()) kept_error() = std::move(error);
}

void rethrow_kept_error(const std::string& what) {
  if (const std::exception_ptr error = std::exchange(kept_error(), nullptr))
    in_file(what, [&] { std::rethrow_exception(error); });
}

std::string library_message() {
  std::string message;
  const auto take_first = [](unsigned depth, const H5E_error2_t* error, void* into) -> herr_t {
    if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(into) = printable(error->desc);
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &message);
  // Of "file write failed: time = ..., errno = 28, error message = 'No space left on device', buf = ..." the quotation
  // says it all.
  constexpr std::string_view kQuotation = "error message = '";
  if (const std::size_t at = message.find(kQuotation); at != std::string::npos) {
    message.erase(0, at + kQuotation.size());
    message.resize(std::min(message.find('\''), message.size()));
  }
  return message;
}

std::string printable(std::string_view text) {
  std::string result(text);
  for (char& character : result)
    if (std::iscntrl(static_cast<unsigned char>(character)) != 0) character = '?';
  return result;
}

Handle type_of(DType dtype) {
  for (const Row& row : kTypes)
    if (row.dtype == dtype) return row.type();
  throw std::logic_error("no HDF5 type for " + std::string(name_of(dtype)));
}

Handle untagged_pair() {
  const Library library;
  Handle type = made(H5Tcreate(H5T_OPAQUE, size_of(DType::BFloat16)));
  H5Tset_tag(type.id(), "");
  return type;
}

std::optional<ElementType> element_type(hid_t type) {
  for (const Row& row : kTypes) {
    const Handle known = row.type();
    if (H5Tequal(type, known.id()) > 0) return ElementType{row.dtype, true};
    if (equals_in_big_endian(type, known.id())) return ElementType{row.dtype, false};
  }
  return is_untagged_pair(type) ? std::optional(ElementType{DType::BFloat16, true}) : std::nullopt;
}

Handle text_type(H5T_cset_t character_set) {
  Handle type = copied(H5T_C_S1);
  H5Tset_size(type.id(), H5T_VARIABLE);
  H5Tset_cset(type.id(), character_set);
  return type;
}

}  // namespace h5bridge::hdf5
