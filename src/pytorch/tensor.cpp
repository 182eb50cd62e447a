#include "pytorch/tensor.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "h5bridge/error.h"
#include "model/checked.h"
#include "pytorch/dtype_names.h"
#include "pytorch/file.h"

namespace h5bridge {
namespace {

using pickle::Global;
using pickle::Object;
using pickle::Ref;
using pickle::Tuple;

constexpr int kDeepestNesting = 8;  // a parameter of a typed tensor of a tensor ...

using Arguments = std::vector<Ref>;

[[noreturn]] void throw_expected(const char* what, const pickle::Value& found) {
  throw MalformedFile(std::string("expected ") + what + ", found " + pickle::describe(found));
}

std::int64_t integer(const pickle::Value& value, const char* what) {
  if (const auto* number = value.as<std::int64_t>()) return *number;
  throw_expected(what, value);
}

std::vector<std::int64_t> integers(const pickle::Value& value, const char* what) {
  // torch.Size is a tuple in a call where a protocol above 2 or a copy spelled it out.
  const auto* object = value.as<Object>();
  if (object && pickle::class_of(value) == "torch.Size") {
    const auto* inner = pickle::sequence(*object->arguments);
    if (inner && inner->size() == 1 && pickle::sequence(*inner->front())) return integers(*inner->front(), what);
  }
  const auto* items = pickle::sequence(value);
  if (!items) throw_expected(what, value);
  std::vector<std::int64_t> result;
  for (const Ref item : *items) result.push_back(integer(*item, what));
  return result;
}

DType dtype(const pickle::Value& value) {
  const auto* global = value.as<Global>();
  if (!global || global->module != "torch") throw_expected("a dtype", value);
  if (const auto known = dtype_named(global->name)) return *known;
  throw Unsupported("its dtype is " + global->path() + ", which has no equivalent here");
}

/// The first versions of PyTorch 0.1 pickle a tensor as an object of its class, "torch.cuda.FloatTensor", whose state
/// is (storage, offset, shape, strides). nullptr for anything else.
const Arguments* state_of_tensor_object(const pickle::Value& value) {
  const auto* object = value.as<Object>();
  const auto* type = object && object->state ? object->callable->as<Global>() : nullptr;
  if (!type || (type->module != "torch" && type->module != "torch.cuda")) return nullptr;
  constexpr std::string_view kTensor = "Tensor";
  if (!type->name.ends_with(kTensor)) return nullptr;
  const std::string element = type->name.substr(0, type->name.size() - kTensor.size());
  if (!dtype_of_storage_class(element + "Storage")) return nullptr;
  const auto* state = pickle::sequence(*object->state);
  return state && state->size() == 4 ? state : nullptr;
}

/// Bytes of the numbers that elements are made of: what is turned around in another byte order.
std::size_t number_size(DType dtype) {
  const bool is_complex = dtype == DType::Complex64 || dtype == DType::Complex128;
  return is_complex ? size_of(dtype) / 2 : size_of(dtype);
}

/// Bytes, and their type where the storage has one.
struct Storage {
  ByteSourcePtr bytes;
  std::optional<DType> dtype;
};

class Rebuilder {
 public:
  explicit Rebuilder(const FindStorage& find_storage) : find_storage_(find_storage) {}

  Tensor call(const pickle::Value& callable, const Arguments& arguments);

  // The functions of torch._utils and torch._tensor, by their number of arguments that matter.
  Tensor tensor(const Arguments& arguments) const { return strided(arguments, storage(*arguments[0])); }
  Tensor tensor_v2(const Arguments& arguments) const {
    if (arguments.size() > 6) refuse_marks(*arguments[6]);
    return tensor(arguments);
  }
  Tensor tensor_v3(const Arguments& arguments) const {
    if (arguments.size() > 7) refuse_marks(*arguments[7]);
    return strided(arguments, storage(*arguments[0], dtype(*arguments[6])));
  }
  Tensor inner(const Arguments& arguments) { return rebuild(*arguments[0]); }
  Tensor from_type(const Arguments& arguments) {
    const auto* type = arguments[1]->as<Global>();
    static const std::set<std::string, std::less<>> plain = {"torch.Tensor", "torch.nn.parameter.Parameter",
                                                             "torch.nn.parameter.Buffer"};
    if (!type || !plain.contains(type->path()))
      throw Unsupported("it is of the tensor class " + pickle::describe(*arguments[1]));
    const auto* inner_arguments = arguments[2]->as<Tuple>();
    if (!inner_arguments) throw_expected("a tuple of arguments", *arguments[2]);
    return call(*arguments[0], inner_arguments->items);
  }

  Tensor rebuild(const pickle::Value& value) {
    if (const auto* state = state_of_tensor_object(value)) return tensor(*state);
    const auto* object = value.as<Object>();
    if (!object || !is_tensor(value)) throw_expected("a tensor", value);
    return call(*object->callable, *pickle::sequence(*object->arguments));
  }

 private:
  Storage storage(const pickle::Value& value, std::optional<DType> stated = {}) const;
  static void refuse_marks(const pickle::Value& metadata);
  static Tensor strided(const Arguments& arguments, Storage storage);

  const FindStorage& find_storage_;
  int depth_ = 0;
};

struct Function {
  std::string_view name;
  std::size_t least_arguments;
  Tensor (*rebuild)(Rebuilder&, const Arguments&);  // or nullptr:
  std::string_view unsupported;                     // what it makes
};

constexpr std::array kFunctions = {
    Function{"torch._utils._rebuild_tensor", 4, [](Rebuilder& r, const Arguments& a) { return r.tensor(a); }, ""},
    Function{"torch._utils._rebuild_tensor_v2", 6, [](Rebuilder& r, const Arguments& a) { return r.tensor_v2(a); }, ""},
    Function{"torch._utils._rebuild_tensor_v3", 7, [](Rebuilder& r, const Arguments& a) { return r.tensor_v3(a); }, ""},
    Function{"torch._utils._rebuild_parameter", 1, [](Rebuilder& r, const Arguments& a) { return r.inner(a); }, ""},
    Function{"torch._utils._rebuild_parameter_with_state", 1,
             [](Rebuilder& r, const Arguments& a) { return r.inner(a); }, ""},
    // Before PyTorch 0.4 a parameter, or a variable of autograd, was a call with the tensor.
    Function{"torch.nn.parameter.Parameter", 1, [](Rebuilder& r, const Arguments& a) { return r.inner(a); }, ""},
    Function{"torch.autograd.variable.Variable", 1, [](Rebuilder& r, const Arguments& a) { return r.inner(a); }, ""},
    Function{"torch._utils._rebuild_device_tensor_from_cpu_tensor", 1,
             [](Rebuilder& r, const Arguments& a) { return r.inner(a); }, ""},
    Function{"torch._tensor._rebuild_from_type_v2", 4, [](Rebuilder& r, const Arguments& a) { return r.from_type(a); },
             ""},
    Function{"torch._utils._rebuild_qtensor", 0, nullptr, "a quantized tensor"},
    Function{"torch._utils._rebuild_sparse_tensor", 0, nullptr, "a sparse tensor"},
    Function{"torch._utils._rebuild_sparse_csr_tensor", 0, nullptr, "a sparse tensor"},
    Function{"torch._utils._rebuild_nested_tensor", 0, nullptr, "a nested tensor"},
    Function{"torch._utils._rebuild_meta_tensor_no_storage", 0, nullptr, "a meta tensor, which has no data"},
    Function{"torch._utils._rebuild_wrapper_subclass", 0, nullptr, "a tensor subclass without data of its own"},
    Function{"torch._utils._rebuild_device_tensor_from_numpy", 0, nullptr, "a tensor pickled as a NumPy array"},
    Function{"torch._utils._rebuild_xla_tensor", 0, nullptr, "a tensor pickled as a NumPy array"},
};

const Function* function_named(std::string_view name) {
  const auto* found = std::ranges::find(kFunctions, name, &Function::name);
  return found == kFunctions.end() ? nullptr : found;
}

Tensor Rebuilder::call(const pickle::Value& callable, const Arguments& arguments) {
  const auto* global = callable.as<Global>();
  const Function* function = global ? function_named(global->path()) : nullptr;
  if (!function) throw_expected("a function that rebuilds a tensor", callable);
  if (!function->rebuild) throw Unsupported("it is " + std::string(function->unsupported));
  if (arguments.size() < function->least_arguments)
    throw MalformedFile(std::string(function->name) + " has " + std::to_string(arguments.size()) +
                        " arguments, expected " + std::to_string(function->least_arguments));
  if (++depth_ > kDeepestNesting)
    throw MalformedFile("tensors are nested more than " + std::to_string(kDeepestNesting) + " deep");
  return function->rebuild(*this, arguments);
}

/// Files before PyTorch 1.6 may name a part of a storage: (key, offset, length), in elements.
ByteSourcePtr viewed(ByteSourcePtr bytes, const pickle::Value& view, std::uint64_t width) {
  if (view.as<pickle::None>()) return bytes;
  const auto* items = pickle::sequence(view);
  if (!items || items->size() != 3) throw_expected("a part of a storage", view);
  const auto in_bytes = [&](const pickle::Value& count) {
    const std::int64_t number = integer(count, "a number of elements");
    if (number < 0) throw MalformedFile("a part of a storage is at " + std::to_string(number));
    return static_cast<std::uint64_t>(checked_multiply(number, static_cast<std::int64_t>(width), "a storage's part"));
  };
  return part_of(std::move(bytes), in_bytes(*(*items)[1]), in_bytes(*(*items)[2]));
}

/// ('storage', the storage's class, key, where it was, its length in elements, the part of it that is meant or None).
/// `stated` is the type where the storage has none.
Storage Rebuilder::storage(const pickle::Value& value, std::optional<DType> stated) const {
  const auto* persistent = value.as<pickle::Persistent>();
  const auto* id = persistent ? persistent->id->as<Tuple>() : nullptr;
  if (!id || id->items.size() < 5) throw_expected("a storage", value);
  const auto* kind = id->items[0]->as<std::string>();
  const auto* type = id->items[1]->as<Global>();
  const auto* key = id->items[2]->as<std::string>();
  if (!kind || *kind != "storage" || !type || !key) throw_expected("a storage", value);
  const std::int64_t length = integer(*id->items[4], "a storage's length");

  const bool untyped = type->name == "UntypedStorage";
  const std::optional<DType> element = dtype_of_storage_class(type->name);
  const std::optional<DType> meant = stated ? stated : element;
  if (!untyped && !element)
    throw Unsupported("its elements are those of " + type->path() + ", which have no equivalent here");
  const std::uint64_t width = element ? size_of(*element) : 1;
  ByteSourcePtr bytes = find_storage_(*key, meant ? number_size(*meant) : 1);
  if (static_cast<std::uint64_t>(length) != bytes->size() / width)
    throw MalformedFile("the storage data/" + *key + " has " + std::to_string(bytes->size()) + " bytes, expected " +
                        std::to_string(length) + " elements of " + std::to_string(width));
  if (id->items.size() > 5) bytes = viewed(std::move(bytes), *id->items[5], width);
  return {std::move(bytes), meant};
}

/// The last argument of a tensor is a dict of {"conj", "neg"}, None, or not there.
void Rebuilder::refuse_marks(const pickle::Value& metadata) {
  if (metadata.as<pickle::None>()) return;
  const auto* marks = metadata.as<pickle::Dict>();
  if (!marks || !marks->items.empty()) throw Unsupported("it is a conjugated or negated view");
}

/// (storage, offset, shape, strides, ...)
Tensor Rebuilder::strided(const Arguments& arguments, Storage storage) {
  if (!storage.dtype) throw MalformedFile("its storage has no type, and it states none");
  return as_file_says([&] {
    return Tensor(*storage.dtype, integers(*arguments[2], "a shape"), integers(*arguments[3], "strides"),
                  integer(*arguments[1], "an offset"), std::move(storage.bytes));
  });
}

/// The number of the argument that says whether it is trained, by the function that makes a parameter.
constexpr std::array<std::pair<std::string_view, std::size_t>, 2> kRequiresGrad{{
    {"torch._utils._rebuild_parameter", 1},
    {"torch._utils._rebuild_parameter_with_state", 1},
}};

}  // namespace

bool requires_grad(const pickle::Value& parameter) {
  const auto* object = parameter.as<Object>();
  if (!object) return true;
  // A parameter of before PyTorch 0.4 has it first in its state.
  const auto* stated = object->state ? pickle::sequence(*object->state) : nullptr;
  std::size_t place = 0;
  for (const auto& [function, argument] : kRequiresGrad)
    if (pickle::class_of(parameter) == function) {
      stated = pickle::sequence(*object->arguments);
      place = argument;
    }
  const bool* trained = stated && stated->size() > place ? (*stated)[place]->as<bool>() : nullptr;
  return !trained || *trained;
}

bool is_tensor(const pickle::Value& value) {
  return value.as<Object>() && (function_named(pickle::class_of(value)) || state_of_tensor_object(value));
}

Tensor rebuild_tensor(const pickle::Value& value, const FindStorage& storage) {
  return Rebuilder(storage).rebuild(value);
}

}  // namespace h5bridge
